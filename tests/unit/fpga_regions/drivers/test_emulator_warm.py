# SPDX-License-Identifier: Apache-2.0
"""An emulated region that is reset: another process, other sockets, the same function."""

import contextlib
import os
import pathlib
import socket
import typing
import zlib

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from fpga_regions.system import processes
from tests.support import bitstreams
from tests.support.host import Host, talk, wait_until
from tests.unit.fpga_regions.conftest import owner
from tests.unit.fpga_regions.drivers.test_emulator import DATA, Emulated


@pytest.fixture
def emulated(tmp_path: pathlib.Path) -> typing.Iterator[Emulated]:
    emulated = Emulated(Host(tmp_path))
    yield emulated
    emulated.clear()


def reset(emulated: Emulated) -> None:
    """Reset the region."""
    emulated.driver.reset(emulated.region, Deadline(10))


def test_function_answers_as_before_from_another_process(emulated: Emulated) -> None:
    path = emulated.program(bitstreams.package("crc32"))
    loaded, (server,) = emulated.read_back(), emulated.host.servers()
    reset(emulated)
    assert emulated.read_back() == loaded
    assert not processes.alive(server)
    assert talk(path, DATA) == zlib.crc32(DATA).to_bytes(4, "big")


def test_client_of_the_last_owner_is_cut_off(emulated: Emulated) -> None:
    path = emulated.program(bitstreams.package("crc32"))
    with socket.socket(socket.AF_UNIX) as client, contextlib.chdir(pathlib.Path(path).parent):
        client.settimeout(10)
        client.connect(pathlib.Path(path).name)
        client.sendall(b"begun")
        reset(emulated)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""


def test_socket_that_the_last_owner_still_sees_leads_nowhere(emulated: Emulated) -> None:
    path = emulated.program(bitstreams.package("crc32"))
    # As a bind mount in a container does, a descriptor stays with the file that it was made of.
    descriptor = os.open(path, os.O_PATH)
    reset(emulated)
    with (
        socket.socket(socket.AF_UNIX) as client,
        pytest.raises(ConnectionRefusedError),
    ):
        client.connect(f"/proc/self/fd/{descriptor}")
    os.close(descriptor)


def test_each_node_is_there_after_a_reset(emulated: Emulated) -> None:
    exposes = [{"kind": "socket", "name": f"/dev/fpga{n}"} for n in range(2)]
    path = emulated.program(bitstreams.package("crc32", exposes=exposes))
    reset(emulated)
    folder = pathlib.Path(path).parent
    assert all(talk(str(folder / f"fpga{number}"), DATA) for number in range(2))


def test_region_whose_process_is_gone_can_be_reset(emulated: Emulated) -> None:
    emulated.program(bitstreams.package("crc32"))
    (server,) = emulated.host.servers()
    processes.end(server, Deadline(5))
    reset(emulated)
    assert isinstance(emulated.read_back(), Loaded)


def test_region_that_holds_nothing_is_not_reset(emulated: Emulated) -> None:
    with pytest.raises(errors.NotErased):
        reset(emulated)
    assert emulated.read_back() is None


@pytest.fixture
def warm(tmp_path: pathlib.Path) -> typing.Iterator[Host]:
    host = Host(tmp_path, warm=True)
    (tmp_path / "crc32.zip").write_bytes(bitstreams.package("crc32"))
    yield host
    host.close()


def burn(host: Host, number: int) -> str:
    """Burn from a file; the region's id."""
    return host.burn("--file", str(host.folder / "crc32.zip"), "--owner", owner(number))


def test_warm_region_is_free_reports_what_it_holds_and_is_given_to_the_next(warm: Host) -> None:
    region_id = burn(warm, 0)
    assert warm.run("erase", "--owner", owner(0)).returncode == 0
    assert warm.run("status").stdout == "Used regions: 0/2\n"
    (status,) = [region for region in warm.status()["regions"] if region["id"] == region_id]
    assert (status["state"], status["owner"], status["nodes"]) == ("free", None, None)
    assert (status["function"], status["healthy"]) == ("crc32", None)
    assert status["digest"].startswith("sha256:")
    (server,) = warm.servers()
    assert burn(warm, 1) == region_id
    assert warm.servers() == [server]
    (held,) = [region for region in warm.status()["regions"] if region["owner"]]
    assert held["reason"] == "handed out warm: not programmed"
    assert talk(held["nodes"][0]["path"], DATA) == zlib.crc32(DATA).to_bytes(4, "big")


def test_warm_region_whose_process_died_is_cold(warm: Host) -> None:
    burn(warm, 0)
    warm.run("erase", "--owner", owner(0))
    (server,) = warm.servers()
    processes.end(server, Deadline(5))
    assert {region["function"] for region in warm.status()["regions"]} == {None}
    region_id = burn(warm, 1)
    (held,) = [region for region in warm.status()["regions"] if region["owner"]]
    assert (held["id"], held["healthy"], held["reason"]) == (region_id, True, "programmed")


def test_warm_region_of_a_host_that_restarted_is_cold(warm: Host) -> None:
    burn(warm, 0)
    warm.run("erase", "--owner", owner(0))
    warm.close()
    for path in (warm.runtime / "regions").rglob("*"):
        if not path.is_dir():
            path.unlink()
    wait_until(lambda: {r["function"] for r in warm.status()["regions"]} == {None})
    burn(warm, 1)
    assert warm.run("status").stdout == "Used regions: 1/2\n"
