# SPDX-License-Identifier: Apache-2.0
"""Control groups of the kernel (cgroups(7)): what the processes of one user may use together.

Version 2 where memory, CPU time and processes are controlled by it, else version 1; a host may have
some in one and some in the other. Where none can be made (no root, a container), nothing is bound
together, and the limits of each process remain.

Paths are texts here. pathlib puts each part of a path into Python's table of interned texts. In a
server that makes groups for ever, that table is made anew and larger again and again.
"""

import contextlib
import dataclasses
import os
import signal
import time
import typing
from pathlib import Path

from fpga_nova.deadline import Deadline

_PARENT = "fpga-nova"
_MOUNTS = Path("/proc/self/mountinfo")
_PERIOD = 100_000  # microseconds
_PAUSE = 0.01  # seconds between two looks at a group that ends
_VERSION_1, _VERSION_2 = "cgroup", "cgroup2"
_CONTROLLERS: tuple[str, ...] = ("memory", "pids", "cpu")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a region may use.

    :param memory: bytes
    :param cpu_percent: of one processor
    :param processes: with their threads
    """

    memory: int
    cpu_percent: int
    processes: int

    def files(self, controller: str) -> dict[str, str]:
        """The files of a controller and what is to be written to them."""
        quota = _PERIOD * self.cpu_percent // 100
        written: dict[str, dict[str, int | str]] = {
            "memory": {"memory.max": self.memory, "memory.swap.max": 0},
            "pids": {"pids.max": self.processes},
            "cpu": {"cpu.max": f"{quota} {_PERIOD}"},
            "memory 1": {"memory.limit_in_bytes": self.memory},
            "pids 1": {"pids.max": self.processes},
            "cpu 1": {"cpu.cfs_period_us": _PERIOD, "cpu.cfs_quota_us": quota},
        }
        return {name: str(value) for name, value in written[controller].items()}


@dataclasses.dataclass(frozen=True)
class _Hierarchy:
    """Where groups are made, and the controllers that bind them."""

    root: str
    controllers: tuple[str, ...]


def make(name: str, limits: Limits) -> list[str]:
    """Make the groups of a region, as far as the host allows it.

    :param name: of nothing else on this host
    :returns: the files through which a process enters them
    """
    entrances = []
    for hierarchy in _hierarchies():
        with contextlib.suppress(OSError):
            entrances.append(_make(hierarchy, name, limits))
    return entrances


def enter(entrances: typing.Iterable[str]) -> None:
    """Enter groups, in a process that is about to run another program; that is wholly in them.

    Where one cannot be entered, the limits of each process remain.
    """
    for entrance in entrances:
        with contextlib.suppress(OSError):
            descriptor = os.open(entrance, os.O_WRONLY)
            try:
                os.write(descriptor, b"0")
            finally:
                os.close(descriptor)


def end(name: str, deadline: Deadline) -> bool:
    """End every process in the groups of a region, and remove them.

    :returns: whether nothing is left of them
    :raises OSError: that cannot be found out
    """
    ended = [_end(f"{one.root}/{_PARENT}/{name}", deadline) for one in _hierarchies()]
    return all(ended)


def _make(hierarchy: _Hierarchy, name: str, limits: Limits) -> str:
    parent = f"{hierarchy.root}/{_PARENT}"
    group = f"{parent}/{name}"
    _make_folder(parent)
    if not hierarchy.controllers[0].endswith(" 1"):
        for folder in (hierarchy.root, parent):
            for controller in hierarchy.controllers:
                with contextlib.suppress(OSError):
                    _write(f"{folder}/cgroup.subtree_control", f"+{controller}")
    _make_folder(group)
    for controller in hierarchy.controllers:
        for file, value in limits.files(controller).items():
            # Swap is not accounted everywhere; a controller may be somebody else's to give out.
            with contextlib.suppress(OSError):
                _write(f"{group}/{file}", value)
    return f"{group}/cgroup.procs"


def _make_folder(path: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)


# Not by open(): tests with Nova's fixtures, ours among them, may open nothing of /sys by that.


def _write(path: str, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY), "w", encoding="ascii") as file:
        file.write(text)


def _read(path: str) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY), encoding="ascii") as file:
        return file.read()


def _end(group: str, deadline: Deadline) -> bool:
    while True:
        try:
            os.rmdir(group)
        except FileNotFoundError:
            return True
        except OSError:
            members = _members(group)
            if deadline.passed:
                return False
        else:
            return True
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)


def _members(group: str) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(line) for line in _read(f"{group}/cgroup.procs").split()]
    return []


def _hierarchies() -> typing.Iterator[_Hierarchy]:
    """The hierarchies that are mounted and can be reached, each controller in one of them."""
    with _MOUNTS.open() as file:
        # A host may have thousands of other mounts, and a server remembers the room that they took.
        lines = [line for line in file if f" - {_VERSION_1}" in line]
    for line in lines:
        before, _, after = line.partition(" - ")
        kind, _, options = after.split()[:3]
        device, root = before.split()[2], before.split()[4]
        if kind not in (_VERSION_2, _VERSION_1) or _is_hidden(root, device):
            continue
        if kind == _VERSION_2:
            known = _read(f"{root}/cgroup.controllers").split()
            controllers = tuple(name for name in _CONTROLLERS if name in known)
        else:
            known = options.split(",")
            controllers = tuple(f"{name} 1" for name in _CONTROLLERS if name in known)
        if controllers:
            yield _Hierarchy(root, controllers)


def _is_hidden(root: str, device: str) -> bool:
    """Whether another mount lies on a hierarchy, or on a folder above it.

    :param device: of the hierarchy's mount, MAJOR:MINOR
    """
    try:
        return os.stat(root).st_dev != os.makedev(*map(int, device.split(":")))
    except (FileNotFoundError, NotADirectoryError):
        return True
