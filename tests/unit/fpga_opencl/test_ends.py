# SPDX-License-Identifier: Apache-2.0
"""However a session ends, nothing of it stays: on either side, within a second."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_opencl.client.resources import DeviceMemoryObject
from tests.support import opencl
from tests.support.host import wait_until
from tests.unit.fpga_opencl.conftest import desk

#: That one after the other open and end; 10,000 take minutes.
SESSIONS = int(os.environ.get("OPENCL_SESSIONS", "50"))
#: Seconds. One is promised, and a fifth of one is usual; other tests may run beside this one.
SOON = float(os.environ.get("OPENCL_SOON", "15"))
#: After so many of them the server has all that it keeps; after these its memory is looked at.
_WARM = 5
_MILESTONES = (100, 500, 1000, 2000, 5000)


@pytest.fixture
def quiet(node: opencl.Node) -> opencl.Node:
    """A node server without sessions."""
    node.wait(0)
    return node


def test_worker_ends_with_its_session(quiet: opencl.Node) -> None:
    session = client.open_session(quiet.socket)
    (worker,) = quiet.wait(1)
    session.close()
    wait_until(lambda: not opencl.runs(worker), SOON)


def test_worker_ends_with_a_client_that_is_killed(quiet: opencl.Node) -> None:
    code = (
        "import sys, time; from fpga_opencl import client;"
        "session = client.open_session(sys.argv[1]); print('open', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, quiet.socket], stdout=subprocess.PIPE, cwd=opencl.ROOT
    )
    assert process.stdout
    assert process.stdout.readline() == b"open\n"
    (worker,) = quiet.wait(1)
    process.kill()
    process.wait()
    wait_until(lambda: not opencl.runs(worker), SOON)
    process.stdout.close()


def test_client_sees_that_its_worker_was_killed(quiet: opencl.Node) -> None:
    with client.open_session(quiet.socket) as session:
        (worker,) = quiet.wait(1)
        os.kill(worker, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(client.DeviceLost, match="CL_DEVICE_NOT_AVAILABLE"):
            while True:
                session.devices.show(1)
        assert time.monotonic() - begin < SOON


def test_kernel_without_an_end_ends_with_its_client(quiet: opencl.Node) -> None:
    work = desk(quiet.socket)
    kernel = work.session.kernels.create(work.program, "endless")
    work.session.kernels.setkernelarg(kernel, 0, DeviceMemoryObject(work.buffer(bytes(64))))
    work.session.queues.enqueue_task(work.queue, kernel)
    waiter = threading.Thread(target=_finish, args=(work.session, work.queue))
    waiter.start()
    (worker,) = quiet.wait(1)
    work.session.abort()
    wait_until(lambda: not opencl.runs(worker), SOON)
    waiter.join()


def _finish(session: client.Session, queue: int) -> None:
    with pytest.raises(client.DeviceLost):
        session.queues.finish(queue)


def test_server_that_is_killed_leaves_no_worker(tmp_path: Path, node: opencl.Node) -> None:
    with opencl.serving(tmp_path) as one, client.open_session(one.socket) as session:
        (worker,) = one.wait(1)
        one.process.kill()
        with pytest.raises(client.DeviceLost):
            while True:
                session.devices.show(1)
        wait_until(lambda: not opencl.runs(worker), SOON)


def test_one_client_too_many_is_turned_away(tmp_path: Path, node: opencl.Node) -> None:
    with opencl.serving(tmp_path, "--sessions", "2") as one:
        first, second = client.open_session(one.socket), client.open_session(one.socket)
        with pytest.raises(client.DeviceLost):
            client.open_session(one.socket)
        first.close()
        wait_until(lambda: _opens(one.socket))
        second.close()


def _opens(path: str) -> bool:
    try:
        client.open_session(path).close()
    except client.DeviceLost:
        return False
    return True


def test_nothing_grows_with_the_sessions(quiet: opencl.Node) -> None:
    """Without devices that are looked for: what grows would, and it takes less time.

    It prints the server's memory on the way; `pytest -s` shows that.
    """
    idle, opened, memory = quiet.descriptors(), 0, {0: quiet.memory()}
    for count in (_WARM, *(one for one in _MILESTONES if _WARM < one < SESSIONS), SESSIONS):
        for _ in range(count - opened):
            client.open_session(quiet.socket).close()
        opened = count
        # A worker's end comes before the server closes what belonged to it.
        quiet.wait(0)
        wait_until(lambda: quiet.descriptors() <= idle)
        wait_until(lambda: quiet.groups() == 0)
        memory[count] = quiet.memory()
        print(f"{count} sessions: {memory[count]} KiB, {quiet.descriptors()} descriptors")
    assert memory[SESSIONS] <= memory[_WARM] + 512, memory  # KiB; 24 after 5,000 sessions


def test_server_removes_what_one_that_was_killed_left(tmp_path: Path, node: opencl.Node) -> None:
    with opencl.serving(tmp_path) as one, client.open_session(one.socket):
        one.process.kill()
        one.process.wait()
        if not one.groups():
            pytest.skip("this host lets us make no control groups")
        (tmp_path / "second").mkdir()
        with opencl.serving(tmp_path / "second", "--first-uid", str(one.first)):
            wait_until(lambda: one.groups() == 0)
