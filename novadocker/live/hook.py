# SPDX-License-Identifier: Apache-2.0
"""Runs the hook of a clone: a program in its container that makes anew what must be its own.

runc runs it as it runs what an engine executes in a container: as the container's user, with its
capabilities, its filter of system calls, its namespaces and its cgroup. Root gives it no more than
pipes, and reads nothing of what it writes.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import typing

from fpga_nova.confined import folders
from novadocker.live import containers, criu, facts, places
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

#: Where a container has its hook; it need not have one.
PROGRAM = "/etc/fpga-nova/clone-hook"
#: Seconds that it may take.
LIMIT = 30
#: Seconds that runc may take after that: it waits for those that have the output of the hook open.
_GRACE = 10
#: Why there is none at that place, as runc has it.
_NOTHING = ("no such file", "not a directory")
#: The status of one that cannot be executed, as shells have it.
_UNUSABLE = 126
_STREAMS = ("stdin", "stdout", "stderr")
#: runc's record of a container, and when its first process started, in ticks since the boot.
_RECORD, _START = "state.json", "init_process_start"


class Ending(typing.NamedTuple):
    """How a hook ended.

    :param found: whether there is one
    :param status: its exit status; None if there is none, or it was killed at the limit
    :param seconds: how long it ran
    :param reason: why it could not be executed
    """

    found: bool
    status: int | None
    seconds: float
    reason: str = ""


class _Way(typing.NamedTuple):
    """How runc executes something in a container.

    :param before: the words before its command line
    :param root: where it finds its record of the container
    """

    before: list[str]
    root: pathlib.Path


def run(settings: Settings, container: str) -> Ending:
    """Run the hook of a container that runs, and wait until it ends or its time does.

    :param container: the engine's id
    :raises LiveError: it was not run, with runc's reason
    """
    if not containers.ID.fullmatch(container):
        raise LiveError(f"'{container}' is not the id of a container")
    places.prepare(settings)
    with folders.fresh(settings.work, "hook-") as work:
        return _run(settings, container, work)


def _run(settings: Settings, container: str, work: pathlib.Path) -> Ending:
    pid, log = work / "pid", work / "log"
    found = facts.state(settings, container)
    if found["status"] == "stopped":
        return Ending(False, None, 0)  # nobody is left to need one
    way = _way(settings, container, found["pid"], work)
    argv = ["--root", str(way.root), "--log", str(log), "exec"]
    argv += ["--cwd", "/", "--pid-file", str(pid), container, PROGRAM]
    nothing: dict[str, typing.Any] = dict.fromkeys(_STREAMS, subprocess.DEVNULL)
    start = time.monotonic()
    limit = threading.Timer(LIMIT, _kill, (settings, container, pid))
    limit.start()
    try:
        status = criu.run_runc(
            settings, argv, None, way.before, timeout=LIMIT + _GRACE, **nothing
        ).returncode
    except criu.TimedOut:
        status = -signal.SIGKILL
    finally:
        limit.cancel()
    seconds = time.monotonic() - start
    # runc notes the number of what it has started.
    if pid.exists():
        return Ending(True, status if seconds < LIMIT else None, seconds)
    reason = log.read_text(errors="replace").strip()[-300:] if log.exists() else ""
    if any(f"stat {PROGRAM}: {why}" in reason for why in _NOTHING):
        return Ending(False, None, seconds)
    if PROGRAM in reason:
        return Ending(True, _UNUSABLE, seconds, reason)
    raise LiveError(f"runc does not run {PROGRAM} (exit {status}): {reason}")


def _way(settings: Settings, container: str, first: int, work: pathlib.Path) -> _Way:
    """Have runc join the time namespace of a container, which CRIU has made, not runc.

    What a hook leaves there must be dumped with the rest, and CRIU dumps no mixture. Within that
    namespace all processes have other start times. By the start time on record, runc would take
    the first process for another one that has its number, and the container for stopped. So runc
    gets a copy of its record, with the start time that it will see.

    :param first: the container's first process
    :param work: root's alone; it gets the copy
    """
    namespace = containers.time_of(first)
    if namespace is None:
        return _Way([], settings.runc_root)
    enter = ["nsenter", f"--time={namespace}"]
    try:
        record = json.loads((settings.runc_root / container / _RECORD).read_bytes())
        here = record[_START]
    except (OSError, ValueError, KeyError) as e:
        raise LiveError(f"runc's record of the container cannot be read: {e!r}") from e
    record[_START] = containers.start_time(first, enter)
    # Afterwards: until now no other process had its number.
    if containers.start_time(first) != here:
        raise LiveError("the container has ended")
    copy = work / "runc" / container / _RECORD
    copy.parent.mkdir(mode=0o700, parents=True)
    copy.write_text(json.dumps(record))
    return _Way(enter, copy.parents[1])


def _kill(settings: Settings, container: str, pid: pathlib.Path) -> None:
    """Kill the hook, which leads a session of its own, if it is in the container still.

    runc, which waits for it, then takes note of its end.
    """
    with contextlib.suppress(OSError, ValueError, LiveError):
        leader = int(pid.read_text())
        if leader in facts.processes(settings, container):
            os.killpg(leader, signal.SIGKILL)
