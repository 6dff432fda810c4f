# SPDX-License-Identifier: Apache-2.0
"""What a relay does when one of its two sides is gone."""

import socket
import threading

import pytest

from fpga_opencl.afar import relay
from tests.unit.fpga_opencl.test_secure import Pair, contexts, pair, soon

__all__ = ["contexts", "pair"]

_REST = b"r" * 300_000


@pytest.fixture
def worker(pair: Pair) -> socket.socket:
    """The other end of a relay's plain side, which has ended after it sent something."""
    here, there = socket.socketpair()
    here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * len(_REST))
    here.sendall(_REST)
    here.close()
    return there


def _run(pair: Pair, worker: socket.socket) -> threading.Thread:
    pair[1].plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    thread = threading.Thread(target=relay.Relay(pair[1], *relay.halves(worker)).run)
    thread.start()
    return thread


def test_client_gets_the_rest_of_a_worker_that_has_ended(pair: Pair, worker: socket.socket) -> None:
    thread = _run(pair, worker)
    assert pair[0].receive(len(_REST), soon()) == _REST
    thread.join(60)
    assert not thread.is_alive()


def test_client_that_reads_nothing_is_not_waited_for(
    pair: Pair, worker: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "REST", 0.1)
    thread = _run(pair, worker)
    thread.join(60)
    assert not thread.is_alive()
