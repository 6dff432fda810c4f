# SPDX-License-Identifier: Apache-2.0
"""An emulated region that gets another function while a container has its sockets by bind mount."""

import contextlib
import os
import pathlib
import socket
import typing
import zlib

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.served import listeners
from tests.support import bitstreams
from tests.support.host import Host, connected, talk
from tests.unit.fpga_regions.conftest import unpack
from tests.unit.fpga_regions.drivers.test_emulator import Emulated

DATA = b"the quick brown fox " * 50
CRC = zlib.crc32(DATA).to_bytes(4, "big")


class Running(Emulated):
    """A region that is programmed, and its socket as a container has it."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.path = self.program(bitstreams.package())
        self.inode = pathlib.Path(self.path).stat().st_ino

    def replace(self, data: bytes) -> None:
        """Put another package in."""
        self.driver.replace(self.region, unpack(data, self.conf), Deadline(100))


@pytest.fixture
def running(tmp_path: pathlib.Path) -> typing.Iterator[Running]:
    emulated = Running(Host(tmp_path, emulator__client_timeout=20, emulator__engine="icarus"))
    yield emulated
    emulated.clear()


def test_next_connection_on_the_same_socket_reaches_the_new_function(running: Running) -> None:
    running.replace(bitstreams.package("crc32"))
    assert pathlib.Path(running.path).stat().st_ino == running.inode
    assert talk(running.path, DATA) == CRC
    loaded = running.read_back()
    assert loaded is not None and loaded.function == "crc32"


def test_socket_stays_through_many_replacements(running: Running) -> None:
    for number in range(10):
        running.replace(bitstreams.package(("crc32", "lzo1x_compress")[number % 2]))
    running.replace(bitstreams.package("crc32"))
    assert (pathlib.Path(running.path).stat().st_ino, talk(running.path, DATA)) == (
        running.inode,
        CRC,
    )


def test_connection_of_before_ends_without_an_answer(running: Running) -> None:
    with connected(running.path) as client:
        client.sendall(DATA)
        running.replace(bitstreams.package("crc32"))
        # The kernel ends a connection with data that nobody read in this way.
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""


def test_bitstream_that_is_refused_leaves_the_socket_for_the_previous_one(
    running: Running,
) -> None:
    bad = bitstreams.package("crc32", b'{"part": "software", "core": "none"}')
    with pytest.raises(errors.BadPackage):
        running.replace(bad)
    running.replace(bitstreams.package("crc32"))
    assert (pathlib.Path(running.path).stat().st_ino, talk(running.path, DATA)) == (
        running.inode,
        CRC,
    )


def test_real_bitstream_goes_in_and_out_on_the_same_socket(running: Running) -> None:
    running.replace(bitstreams.real_package("crc32", "hx8k"))
    assert talk(running.path, DATA) == CRC
    running.replace(bitstreams.package("crc32"))
    assert (pathlib.Path(running.path).stat().st_ino, talk(running.path, DATA)) == (
        running.inode,
        CRC,
    )


def test_process_that_is_gone_hands_nothing_over(running: Running) -> None:
    running.host.close()
    running.replace(bitstreams.package("crc32"))
    assert talk(running.path, DATA) == CRC


def test_bitstream_with_more_sockets_gets_new_ones(running: Running) -> None:
    exposes = [{"kind": "socket", "name": f"/dev/fpga{n}"} for n in range(2)]
    running.replace(bitstreams.package("crc32", exposes=exposes))
    assert talk(str(pathlib.Path(running.path).with_name("fpga1")), DATA) == CRC


def test_nothing_is_left_after_the_region_is_cleared(running: Running) -> None:
    running.replace(bitstreams.package("crc32"))
    running.clear()
    assert running.read_back() is None
    assert not pathlib.Path(running.path).exists()


@pytest.mark.parametrize("listening", [True, False])
def test_what_is_no_socket_of_the_region_is_not_taken(
    tmp_path: pathlib.Path, listening: bool
) -> None:
    control = listeners.listen(tmp_path, "control", 0o600)
    name = "other" if listening else "fpga0"
    with control, socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(tmp_path / name))
        if listening:
            foreign.listen()
        pid = os.fork()
        if pid == 0:
            connection, _ = control.accept()
            socket.send_fds(connection, [b"{}"], [foreign.fileno()])
            os._exit(0)
        assert listeners.handed_over(tmp_path / "control") == []
        os.waitpid(pid, 0)
