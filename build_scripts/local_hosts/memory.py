# SPDX-License-Identifier: Apache-2.0
"""The memory of a host: what its processes use, with shared pages divided among their users."""

import collections.abc
import pathlib
import re

_PROC = pathlib.Path("/proc")


def descendants(parents: collections.abc.Mapping[int, int], first: int) -> set[int]:
    """A process and all that descend from it.

    :param parents: each process's parent
    """
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = set[int](), [first]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def parents(proc: pathlib.Path = _PROC) -> dict[int, int]:
    """Each process's parent."""
    found = {}
    for folder in proc.glob("[0-9]*"):
        try:
            found[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except OSError:
            continue  # it has ended meanwhile
    return found


def proportional(first: int, proc: pathlib.Path = _PROC) -> int:
    """The proportional set size of a process and all that descend from it, in bytes."""
    total = 0
    for pid in descendants(parents(proc), first):
        try:
            text = (proc / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        if found := re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE):
            total += int(found[1]) * 1024
    return total
