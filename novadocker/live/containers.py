# SPDX-License-Identifier: Apache-2.0
"""What the host has of a container: its processes, its bundle, its processor."""

import json
import os
import pathlib
import re
import subprocess
import typing

from novadocker.live import criu
from novadocker.live.errors import LiveError

#: An id of the Docker Engine.
ID = re.compile("[0-9a-f]{64}")

#: Linux' names of capabilities, in the order of their numbers (linux/capability.h).
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

_PROC = pathlib.Path("/proc")
#: The states in /proc/PID/stat of processes that have ended.
_ENDED = ("Z", "X", "x")
#: The place of the start time there, after the name (proc_pid_stat(5), field 22).
_START_TIME = 19


class Privileges(typing.NamedTuple):
    """What processes may do.

    :param capabilities: a mask
    """

    capabilities: int
    no_new_privileges: bool
    seccomp: bool

    def within(self, others: "Privileges") -> bool:
        """Whether they may do no more than others."""
        return (
            self.capabilities & ~others.capabilities == 0
            and self.no_new_privileges >= others.no_new_privileges
            and self.seccomp >= others.seccomp
        )


class Bundle(typing.NamedTuple):
    """What the engine asks runc for.

    :param mounts: the places where something is mounted
    :param privileges: what its first process gets
    :param groups: what the engine calls its control groups
    """

    host_name: str
    mounts: tuple[str, ...]
    privileges: Privileges
    groups: str


def bundle(folder: pathlib.Path) -> Bundle:
    """Read the bundle of a container.

    :raises LiveError: it cannot be read
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
        process = config["process"]
        names = (process.get("capabilities") or {}).get("bounding") or ()
        return Bundle(
            config.get("hostname", ""),
            tuple(sorted(mount["destination"] for mount in config.get("mounts") or ())),
            Privileges(
                sum(1 << _CAPABILITIES.index(name.removeprefix("CAP_")) for name in names),
                bool(process.get("noNewPrivileges")),
                bool(config["linux"].get("seccomp")),
            ),
            str(config["linux"].get("cgroupsPath") or ""),
        )
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise LiveError(f"the bundle {folder} cannot be read: {e!r}") from e


def privileges(processes: typing.Iterable[int]) -> Privileges:
    """What any of some processes may do.

    :raises LiveError: one of them is gone
    """
    capabilities, no_new, seccomp = 0, True, True
    for status in map(_status, processes):
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            capabilities |= int(status[name], 16)
        no_new &= status["NoNewPrivs"] == "1"
        seccomp &= status["Seccomp"] == "2"
    return Privileges(capabilities, no_new, seccomp)


def memory(processes: typing.Iterable[int]) -> int:
    """The bytes of memory that a dump of some processes has, about.

    Each process has a copy of its own there of what it has shared since a fork. Memory that
    processes share on purpose is there once; that of the process with the most of it counts.

    :raises LiveError: one of them is gone
    """
    own, shared = 0, [0]
    for status in map(_status, processes):
        own += sum(_kib(status, name) for name in ("RssAnon", "HugetlbPages", "VmSwap"))
        shared.append(_kib(status, "RssShmem"))
    return (own + max(shared)) << 10


def _status(process: int) -> dict[str, str]:
    try:
        text = _read(process, "status")
    except OSError as e:
        raise LiveError(f"process {process} of the container is gone: try again") from e
    return dict(line.partition(":\t")[::2] for line in text.splitlines())


def _kib(status: typing.Mapping[str, str], name: str) -> int:
    """A size in /proc/PID/status; that of a process without memory is 0."""
    return int(status.get(name, "0").split()[0])


def alive(processes: typing.Iterable[int]) -> dict[int, int]:
    """Those processes that have not ended, with their parents.

    One that has ended stays in a container until its parent takes note, frozen or not.
    """
    found = {}
    for process in processes:
        try:
            text = _read(process, "stat")
        except OSError:
            continue
        state, parent = _fields(text)[:2]
        if state not in _ENDED:
            found[process] = int(parent)
    return found


def strangers(parents: typing.Mapping[int, int], first: int) -> list[int]:
    """Those processes in a container that do not descend from its first one.

    CRIU does not dump them. What the engine starts in a container that runs has a parent outside.

    :param parents: see `alive`
    """
    known = {first}
    # A child may be listed before its parent.
    while new := {one for one in parents if one not in known and parents[one] in known}:
        known |= new
    return sorted(set(parents) - known)


def time_of(process: int) -> pathlib.Path | None:
    """The time namespace of a process, as a file; None where the kernel has none, or it is gone."""
    file = _PROC / str(process) / "ns" / "time"
    return file if os.path.lexists(file) else None


def start_time(process: int, enter: typing.Sequence[str] = ()) -> int:
    """When a process started, in ticks since the boot.

    :param enter: words before a command that have it run in another time namespace
    :raises LiveError: it is gone
    """
    try:
        if not enter:
            text = _read(process, "stat")
        else:
            text = subprocess.run(  # noqa: S603
                [*enter, "cat", f"{_PROC}/{process}/stat"],
                capture_output=True,
                text=True,
                errors="replace",
                check=True,
                timeout=60,
                env=criu.PLAIN,
            ).stdout
        return int(_fields(text)[_START_TIME])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError) as e:
        raise LiveError(f"the start of process {process} of the container is unknown: {e}") from e


def _read(process: int, file: str) -> str:
    """What the kernel says of a process, which may have any bytes for its name."""
    return (_PROC / str(process) / file).read_text(errors="replace")


def _fields(stat: str) -> list[str]:
    """What is after the name of a process, which may have any characters."""
    return stat.rpartition(")")[2].split()


def in_another_time(processes: typing.Iterable[int], first: int) -> list[int]:
    """Those processes whose time namespace is not that of a container's first one.

    CRIU restores a container in a time namespace of its own, which what the engine starts there
    afterwards does not join. CRIU dumps both, and restores no container of them.
    """

    def of(process: int) -> pathlib.Path | None:
        try:
            file = time_of(process)
            return file.readlink() if file else None
        except OSError:
            return None  # it has ended

    own = of(first)
    return sorted(one for one in processes if of(one) not in (None, own))


def processor() -> tuple[str, ...]:
    """The features of the host's processor."""
    for line in (_PROC / "cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return tuple(sorted(value.split()))
    return ()
