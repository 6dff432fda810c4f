# SPDX-License-Identifier: Apache-2.0
"""Whether Open vSwitch is asked for on a host."""

import socket

import pytest

from novadocker.network import warmup


def test_a_socket_in_a_folder(tmp_path):
    assert not warmup.switch_listens(f"unix:{tmp_path}/db.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/db.sock")
        assert warmup.switch_listens(f"unix:{tmp_path}/db.sock")


@pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]"])
def test_a_port_of_this_machine(host):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert warmup.switch_listens(f"tcp:{host}:{port}")
    assert not warmup.switch_listens(f"tcp:{host}:{port}")


def test_what_is_no_address():
    assert not warmup.switch_listens("tcp:127.0.0.1")
    assert not warmup.switch_listens("")
