# SPDX-License-Identifier: Apache-2.0
"""A region that is asked to closes the connections of its clients, and serves the next ones."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import typing
import zlib

import pytest

from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.drivers.emulator import EmulatorDriver
from fpga_regions.model import Region, State
from tests.support import bitstreams
from tests.support.host import Host, connected, talk, wait_until
from tests.unit.fpga_regions.conftest import owner

DATA = b"the quick brown fox " * 50
ANSWER = zlib.crc32(DATA).to_bytes(4, "big")


class Burnt:
    """A region that an owner holds, as fpga-cli has burnt it."""

    def __init__(self, host: Host, package: bytes, kind: str) -> None:
        self.host, self.kind = host, kind
        file = host.folder / "package.zip"
        file.write_bytes(package)
        self.id = host.burn("--file", str(file), "--owner", owner())
        (region,) = [one for one in host.status()["regions"] if one["owner"]]
        self.path: str = region["nodes"][0]["path"]
        conf = options.load(str(host.config))
        driver = EmulatorDriver("emulator", conf)
        self._driver = driver
        self._region = Region(self.id, driver.discover()[0], State.PROGRAMMED, "")

    def disconnect(self) -> None:
        """Ask its process."""
        assert self._driver.disconnect(self._region)

    def ask(self) -> "subprocess.CompletedProcess[str]":
        """Ask by fpga-cli."""
        return self.host.run("disconnect", "--owner", owner())


@pytest.fixture(params=["software", "chip"])
def burnt(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> typing.Iterator[Burnt]:
    """A region that serves two clients at once, with a function or a bitstream."""
    configured = {"emulator__parts": "software,hx1k", "emulator__engine": "icarus"}
    host = Host(tmp_path, **configured, emulator__max_clients=2, emulator__client_timeout=60)
    chip = request.param == "chip"
    package = bitstreams.real_package("crc32", "hx1k") if chip else bitstreams.package("crc32")
    try:
        yield Burnt(host, package, request.param)
    finally:
        host.close()


def is_closed(connection: socket.socket) -> bool:
    """Whether nothing comes from the other end any more; waits until that is known."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True  # something that was sent was not read


def test_connections_are_closed_and_the_next_ones_served(burnt: Burnt) -> None:
    with connected(burnt.path) as idle, connected(burnt.path) as busy:
        busy.sendall(DATA)
        burnt.disconnect()
        assert is_closed(idle)
        assert is_closed(busy)
    assert talk(burnt.path, DATA) == ANSWER


def test_connections_that_wait_for_others_are_closed(burnt: Burnt) -> None:
    with contextlib.ExitStack() as clients:
        found = [clients.enter_context(connected(burnt.path)) for _ in range(5)]
        for one in found:
            one.sendall(DATA)
        burnt.disconnect()
        assert [is_closed(one) for one in found] == [True] * 5
    assert [talk(burnt.path, DATA) for _ in range(3)] == [ANSWER] * 3


def test_the_other_end_is_closed_once_that_is_confirmed(burnt: Burnt) -> None:
    with connected(burnt.path) as client:
        burnt.disconnect()
        # poll(2): the peer has hung up, with nothing in between.
        client.setblocking(False)
        assert is_closed(client)
        with pytest.raises(BrokenPipeError):
            client.send(b"x")


def test_an_answer_that_nobody_reads_does_not_keep_a_connection(burnt: Burnt) -> None:
    if burnt.kind == "chip":
        burnt.host.run("erase", "--owner", owner())
        burnt = Burnt(burnt.host, bitstreams.real_package("packbits", "hx1k"), "chip")
    with connected(burnt.path) as client:
        client.sendall(bytes(range(256)) * 20)
        burnt.disconnect()
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass


def test_a_region_without_connections_is_asked_in_vain(burnt: Burnt) -> None:
    burnt.disconnect()
    burnt.disconnect()
    assert talk(burnt.path, DATA) == ANSWER


def test_the_verb_closes_what_an_owner_has_open(burnt: Burnt) -> None:
    with connected(burnt.path) as client:
        ran = burnt.ask()
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{burnt.id}\n", "")
        assert is_closed(client)
    assert burnt.host.status()["regions"][0]["healthy"]


def test_the_verb_leaves_other_owners_alone(burnt: Burnt) -> None:
    with connected(burnt.path) as client:
        client.sendall(DATA)
        ran = burnt.host.run("disconnect", "--owner", owner(1))
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4) == ANSWER


def test_a_region_that_hangs_is_reported_in_time(burnt: Burnt) -> None:
    (server,) = burnt.host.servers()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        ran = burnt.ask()
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert (ran.returncode, ran.stdout) == (127, "")
    assert ran.stderr.startswith(
        f"Error: the region does not answer - region {burnt.id}: its connections cannot be closed"
    )


def test_a_region_whose_process_is_gone_is_reported(burnt: Burnt) -> None:
    (server,) = burnt.host.servers()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{server.pid}").exists())
    with pytest.raises(errors.NoAnswer):
        burnt.disconnect()


def test_a_region_of_an_older_release_is_reported(burnt: Burnt) -> None:
    (pathlib.Path(burnt.path).parent / "disconnect").unlink()
    with pytest.raises(errors.NoAnswer, match="cannot be closed"):
        burnt.disconnect()
    assert talk(burnt.path, DATA) == ANSWER
