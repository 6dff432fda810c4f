# SPDX-License-Identifier: Apache-2.0
"""Runs the hook of a clone: a program in its container that makes anew what must be its own.

runc runs it as it runs what an engine executes in a container: as the container's user, with its
capabilities, its filter of system calls, its namespaces and its cgroup. Root gives it no more than
pipes, and reads nothing of what it writes.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import threading
import time
import typing

from fpga_nova.confined import folders
from novadocker.live import containers, criu, facts
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

#: Where a container has its hook; it need not have one.
PROGRAM = "/etc/fpga-nova/clone-hook"
#: Seconds that it may take.
LIMIT = 30
#: Seconds that runc may take after that: it waits for those that have the output of the hook open.
_GRACE = 10


class Ending(typing.NamedTuple):
    """How a hook ended.

    :param found: whether there is one
    :param status: its exit status; None if there is none, or it was killed at the limit
    :param seconds: how long it ran
    """

    found: bool
    status: int | None
    seconds: float


def run(settings: Settings, container: str) -> Ending:
    """Run the hook of a container that runs, and wait until it ends or its time does.

    :param container: the engine's id
    :raises LiveError: it was not run, with runc's reason
    """
    if not containers.ID.fullmatch(container):
        raise LiveError(f"'{container}' is not the id of a container")
    for path in (settings.state, settings.work):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with folders.fresh(settings.work, "hook-") as work:
        return _run(settings, container, work / "pid", work / "log")


def _run(settings: Settings, container: str, pid: pathlib.Path, log: pathlib.Path) -> Ending:
    argv = ["--root", str(settings.runc_root), "--log", str(log), "exec"]
    argv += ["--cwd", "/", "--pid-file", str(pid), container, PROGRAM]
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    # Its clocks are those of the container, which was restored: CRIU dumps no mixture.
    clocks = containers.time_of(facts.state(settings, container)["pid"])
    before = ["nsenter", f"--time={clocks}"] if clocks else []
    start = time.monotonic()
    limit = threading.Timer(LIMIT, _kill, (settings, container, pid))
    limit.start()
    try:
        status = criu.run_runc(
            settings, argv, None, before, timeout=LIMIT + _GRACE, **nothing
        ).returncode
    except subprocess.TimeoutExpired:
        status = -signal.SIGKILL
    finally:
        limit.cancel()
    seconds = time.monotonic() - start
    reason = log.read_text(errors="replace").strip() if log.exists() else ""
    if f"stat {PROGRAM}: no such file" in reason:
        return Ending(False, None, seconds)
    if status and "exec failed" in reason:
        raise LiveError(f"runc does not run {PROGRAM}: {reason[-300:]}")
    return Ending(True, status if seconds < LIMIT else None, seconds)


def _kill(settings: Settings, container: str, pid: pathlib.Path) -> None:
    """Kill the hook, which leads a session of its own, if it is in the container still.

    runc, which waits for it, then takes note of its end.
    """
    with contextlib.suppress(OSError, ValueError, LiveError):
        leader = int(pid.read_text())
        if leader in facts.processes(settings, container):
            os.killpg(leader, signal.SIGKILL)
