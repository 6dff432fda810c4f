# SPDX-License-Identifier: Apache-2.0
"""System calls that Python 3.11 has not."""

import contextlib
import ctypes
import os
import resource
import signal as signals
from pathlib import Path

# <linux/sched.h>
NEW_NAMESPACE = 0x00020000
NEW_CGROUP = 0x02000000
NEW_UTS = 0x04000000
NEW_IPC = 0x08000000
NEW_PID = 0x20000000
NEW_NET = 0x40000000
# <linux/mount.h>
READ_ONLY, NO_SUID, NO_DEVICES, NO_PROGRAMS, REMOUNT = 1, 2, 4, 8, 32
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
_DETACH = 2
# <linux/prctl.h>
_PDEATHSIG, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 24, 38
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_LIBC = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int | bytes | None) -> int:
    result: int = getattr(_LIBC, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Have namespaces of one's own."""
    _call("unshare", flags)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system, or a part of one elsewhere, or change how it is mounted."""
    words = [word.encode() for word in (source, target, kind)]
    _call("mount", *words, ctypes.c_ulong(flags), data.encode() or None)  # type: ignore[arg-type]


def change_root(folder: str) -> None:
    """Have a mounted folder for the root, and nothing of the old one."""
    os.chdir(folder)
    _call("syscall", _PIVOT_ROOT[os.uname().machine], b".", b".")
    _call("umount2", b".", _DETACH)
    os.chdir("/")


def drop_capabilities() -> None:
    """Lose the right to ever have one again."""
    for number in range(_last_capability() + 1):
        _call("prctl", _CAPBSET_DROP, number, 0, 0, 0)


def _last_capability() -> int:
    return int(Path("/proc/sys/kernel/cap_last_cap").read_bytes())


def no_new_privileges() -> None:
    """Gain nothing by programs that are another user's."""
    _call("prctl", _NO_NEW_PRIVS, 1, 0, 0, 0)


def die_with_parent(signal: int) -> None:
    """Get a signal when the parent dies; forgotten where the user changes."""
    _call("prctl", _PDEATHSIG, signal, 0, 0, 0)


def end_child(pid: int) -> int:
    """Kill a process that this one has started, if it runs still; its exit status."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signals.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def have_descriptors(count: int) -> None:
    """See that this process, and what it starts, may have so many descriptors.

    :raises OSError: it may not
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
    except (OSError, ValueError) as e:
        raise OSError(f"{count} descriptors are needed, and {hard} are allowed") from e
