# SPDX-License-Identifier: Apache-2.0
"""What the emulator says of a region: what it holds, that it is empty, or that nobody knows."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import typing

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from fpga_regions.system import processes
from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.unit.fpga_regions.drivers.test_emulator import Emulated


@pytest.fixture
def emulated(tmp_path: pathlib.Path) -> typing.Iterator[Emulated]:
    emulated = Emulated(Host(tmp_path))
    yield emulated
    emulated.clear()


@pytest.fixture
def programmed(emulated: Emulated) -> Emulated:
    """A region that holds a function, and says so."""
    emulated.program(bitstreams.package())
    assert isinstance(emulated.read_back(), Loaded)
    return emulated


def control(emulated: Emulated) -> pathlib.Path:
    """Where the driver asks a region's process."""
    return emulated.host.runtime / "regions" / emulated.region.id / "control"


def record(emulated: Emulated) -> pathlib.Path:
    """Where the driver wrote down a region's process."""
    return emulated.host.state / "emulator" / emulated.region.id


@contextlib.contextmanager
def stopped(process: processes.Process) -> typing.Iterator[None]:
    """A process that gets no time, as on a host that is overloaded."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_region_that_was_never_programmed_is_empty(emulated: Emulated) -> None:
    assert emulated.read_back() is None


def test_region_whose_process_was_killed_is_empty(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(server))
    assert programmed.read_back() is None


def test_region_whose_host_restarted_is_empty(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    programmed.clear()
    record(programmed).write_text(
        f'{{"pid": {server.pid}, "started": {server.started}, "boot": "another"}}'
    )
    assert programmed.read_back() is None


def test_region_whose_process_is_stopped_gives_no_answer(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    with stopped(server), pytest.raises(errors.NoAnswer, match="in time"):
        programmed.read_back()
    assert isinstance(programmed.read_back(), Loaded)


def test_region_whose_queue_is_full_gives_no_answer(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    with stopped(server), contextlib.ExitStack() as waiting:
        folder = os.open(control(programmed).parent, os.O_PATH)
        waiting.callback(os.close, folder)
        with pytest.raises(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(f"/proc/self/fd/{folder}/control")
        with pytest.raises(errors.NoAnswer):
            programmed.read_back()


def test_region_whose_process_runs_without_its_sockets_gives_no_answer(
    programmed: Emulated,
) -> None:
    shutil.rmtree(control(programmed).parent)
    with pytest.raises(errors.NoAnswer, match="process runs"):
        programmed.read_back()


@pytest.mark.parametrize("text", ["{", "[]", '{"pid": 1}'])
def test_region_whose_record_cannot_be_read_is_not_taken_for_empty(
    programmed: Emulated, text: str
) -> None:
    whole = record(programmed).read_text()
    shutil.move(control(programmed), control(programmed).with_name("moved"))
    record(programmed).write_text(text)
    with pytest.raises(errors.NoAnswer):
        programmed.read_back()
    with pytest.raises(errors.NotErased):
        programmed.clear()
    record(programmed).write_text(whole)


def test_region_whose_folder_cannot_be_read_is_not_taken_for_empty(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(server))
    folder, moved = control(programmed).parent, control(programmed).parent.with_name("moved")
    folder.rename(moved)
    folder.symlink_to(folder)  # ELOOP, for root too
    with pytest.raises(errors.NoAnswer):
        programmed.read_back()
    folder.unlink()
    moved.rename(folder)


def test_region_without_record_whose_process_lives_shows_what_it_holds(
    programmed: Emulated,
) -> None:
    whole = record(programmed).read_text()
    record(programmed).unlink()
    assert isinstance(programmed.read_back(), Loaded)
    record(programmed).write_text(whole)


def test_cleared_region_has_ended_a_process_that_is_stopped(programmed: Emulated) -> None:
    (server,) = programmed.host.servers()
    os.kill(server.pid, signal.SIGSTOP)
    programmed.driver.clear(programmed.region, Deadline(4))
    assert not processes.alive(server)
    assert programmed.read_back() is None


def test_socket_that_somebody_else_serves_is_no_erased_region(emulated: Emulated) -> None:
    control(emulated).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stranger, contextlib.chdir(control(emulated).parent):
        stranger.bind("fpga0")
        stranger.listen()
        with pytest.raises(errors.NotErased, match="fpga0 is served by a process that is not on"):
            emulated.driver.clear(emulated.region, Deadline(0.3))
