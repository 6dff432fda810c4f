# SPDX-License-Identifier: Apache-2.0
"""What all processes of a region may use together, by the kernel's own control groups."""

import os
import pathlib
import signal
import subprocess
import sys
import typing
import uuid

import pytest

from fpga_nova.confined import groups
from fpga_nova.deadline import Deadline
from tests.support import bitstreams
from tests.support.host import control_groups, wait_until
from tests.unit.fpga_regions.emulator.conftest import Board

from ..conftest import unpack

ENTER = "import sys, os, time\nfor group in sys.argv[1:]: open(group, 'w').write('0')\n"
MIB = 1 << 20


class Group:
    """Groups of a region's own, and processes in them."""

    def __init__(self) -> None:
        self.name = str(uuid.uuid4())
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, limits: groups.Limits, code: str) -> "subprocess.Popen[bytes]":
        """Start Python code in the groups."""
        entrances = groups.make(self.name, limits)
        if not entrances:
            pytest.skip("this host lets us make no control groups")
        command = [sys.executable, "-c", ENTER + code, *entrances]
        started = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._started.append(started)
        return started

    def close(self) -> None:
        """Leave nothing behind."""
        assert groups.end(self.name, Deadline(5))
        for process in self._started:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def group() -> typing.Iterator[Group]:
    group = Group()
    yield group
    group.close()


def test_processes_that_use_too_much_memory_together_are_killed(group: Group) -> None:
    code = "data = bytearray(30 << 20); print(len(data), flush=True); time.sleep(20)"
    limits = groups.Limits(60 * MIB, 100, 20)
    first = group.run(limits, code)
    assert first.stdout is not None and first.stdout.readline() == b"31457280\n"
    second = group.run(limits, code)
    wait_until(lambda: -signal.SIGKILL in (first.poll(), second.poll()))


def test_processor_time_is_shared(group: Group) -> None:
    code = (
        "start = time.monotonic()\n"
        "while time.monotonic() < start + 2: pass\n"
        "print(time.process_time())"
    )
    output, _ = group.run(groups.Limits(500 * MIB, 20, 20), code).communicate()
    assert float(output) < 1


def test_number_of_processes_is_limited(group: Group) -> None:
    code = (
        "made = 0\n"
        "try:\n"
        "    while made < 50:\n"
        "        if os.fork() == 0: time.sleep(30)\n"
        "        made += 1\n"
        "except BlockingIOError: pass\n"
        "print(made, flush=True)"
    )
    process = group.run(groups.Limits(500 * MIB, 100, 8), code)
    assert process.stdout is not None and process.stdout.readline() == b"7\n"


def test_everything_in_a_group_ends_with_it(group: Group) -> None:
    # One write each: what they print must not mix.
    code = "os.fork(); os.fork(); os.write(1, b'%d\\n' % os.getpid()); time.sleep(60)"
    process = group.run(groups.Limits(500 * MIB, 100, 20), code)
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(4)]
    assert groups.end(group.name, Deadline(5))
    process.wait()
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}/cmdline").exists() for pid in pids))


def test_group_that_was_never_made_is_gone() -> None:
    assert groups.end(str(uuid.uuid4()), Deadline(0))


def members(name: str, controller: str) -> set[int]:
    """The processes in a group of version 1 or 2."""
    found: set[int] = set()
    for root in ("/sys/fs/cgroup", f"/sys/fs/cgroup/{controller}"):
        file = pathlib.Path(root) / "fpga-nova" / name / "cgroup.procs"
        if file.exists():
            found |= {int(line) for line in file.read_text().split()}
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes control groups")
def test_chip_and_all_behind_it_are_in_the_groups_of_its_region(board: Board) -> None:
    board.program("crc32")
    name = board.driver._servers.group(board.region.id)
    if not members(name, "memory"):
        pytest.skip("this host lets us make no control groups")
    assert members(name, "memory") == {board.server().pid, *board.simulators()}
    board.clear()
    assert control_groups(f"fpga-nova/{name}") == []


def test_limits_are_written_for_version_2(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No host of ours has memory in version 2; a folder shows what is written to which file.
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    mounts = tmp_path / "mountinfo"
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts.write_text(f"31 25 {number} / {tmp_path} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n")
    monkeypatch.setattr(groups, "_MOUNTS", mounts)
    group = tmp_path / "fpga-nova" / "a"
    group.mkdir(parents=True)
    # The kernel makes the files of a group.
    files = ("memory.max", "memory.swap.max", "pids.max", "cpu.max")
    for file in [tmp_path / "fpga-nova" / "cgroup.subtree_control", *(group / n for n in files)]:
        file.touch()
    assert groups.make("a", groups.Limits(256 * MIB, 50, 24)) == [str(group / "cgroup.procs")]
    written = {path.name: path.read_text() for path in group.iterdir()}
    assert written == {
        "memory.max": "268435456",
        "memory.swap.max": "0",
        "pids.max": "24",
        "cpu.max": "50000 100000",
    }
    given = (tmp_path / "fpga-nova" / "cgroup.subtree_control").read_text()
    assert given.startswith("+cpu")


#: Prints what groups are made below mounts that hide them, whether they end, and what is there.
HIDDEN = """
import pathlib, subprocess, sys
from fpga_nova.confined import groups
from fpga_nova.deadline import Deadline
root = pathlib.Path("/sys/fs/cgroup")
subprocess.run(["mount", "-t", "tmpfs", "none", root], check=True)
for name in sys.argv[1:]:
    (root / name).mkdir()
made = groups.make("hidden", groups.Limits(1 << 28, 50, 24))
print(made, groups.end("hidden", Deadline(0)), list(root.glob("**/fpga-nova")))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
@pytest.mark.parametrize("folders", [(), ("memory", "pids", "cpu", "unified")])
def test_control_groups_below_another_mount_are_left_alone(folders: tuple[str, ...]) -> None:
    command = ["unshare", "--mount", sys.executable, "-c", HIDDEN, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] True []\n", "")


def test_host_without_control_groups_runs_regions_all_the_same(
    board: Board, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = tmp_path / "mountinfo"
    nothing.write_text("")
    monkeypatch.setattr(groups, "_MOUNTS", nothing)
    package = unpack(bitstreams.real_package("crc32", "hx1k"), board.conf)
    board.driver.program(board.region, package, Deadline(250))
    assert board.read_back() == package.loaded
