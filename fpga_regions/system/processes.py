# SPDX-License-Identifier: Apache-2.0
"""Knows a process again by more than its number, which the kernel gives out anew."""

import contextlib
import dataclasses
import os
import select
import signal
from pathlib import Path

from fpga_nova.deadline import Deadline

_PROC = Path("/proc")


@dataclasses.dataclass(frozen=True)
class Process:
    """One process of one boot of the host.

    :param pid: its number
    :param started: when it started, in clock ticks since the boot (proc(5), stat field 22)
    :param boot: the kernel's id of the boot
    """

    pid: int
    started: int
    boot: str


def identify(pid: int) -> Process | None:
    """The process that has a number now; None if there is none, or only its remains.

    :raises OSError: that cannot be found out
    """
    # First: where it is not there, it is not the process that is missing.
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the name in brackets, may hold anything.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        return None
    return Process(pid, int(fields[19]), boot)


def alive(process: Process) -> bool:
    """Whether this very process still runs."""
    return identify(process.pid) == process


def end(process: Process, deadline: Deadline) -> bool:
    """Ask a process to end, and make it end if it does not, half-way to the deadline.

    :returns: whether it is gone
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        # Only now: the descriptor stays with the process that was looked at.
        if not alive(process):
            return True
        for number, wait in ((signal.SIGTERM, deadline.remaining / 2), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
            if _ended(descriptor, deadline.remaining if wait is None else wait):
                return True
        return False
    finally:
        os.close(descriptor)


def _ended(descriptor: int, seconds: float) -> bool:
    readable, _, _ = select.select([descriptor], [], [], seconds)
    return bool(readable)
