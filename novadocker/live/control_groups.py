# SPDX-License-Identifier: Apache-2.0
"""The control groups of a restored container, which are its own.

runc creates a container from a process in the container's groups. It restores one from a process
that is not there, so that two things must be said by us:

* With cgroup v1, runc mounts below /sys/fs/cgroup the groups of the process that does so. Those
  would be the whole host's. So runc sees the container's groups in the place of its own.
* With cgroup v2, runc does not tell CRIU which group replaces that of the dump. Its processes would
  share the group of their source.
"""

import json
import pathlib
import typing

from novadocker.live.errors import LiveError

_OWN, _MOUNTS = pathlib.Path("/proc/self/cgroup"), pathlib.Path("/proc/self/mountinfo")
_PROC = pathlib.Path("/proc")
#: It is there with cgroup v2 alone, as runc has it, too.
_UNIFIED = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
#: The hierarchies of cgroup v1 in which runc makes groups (libcontainer/cgroups/fs).
_MANAGED = {
    *("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory"),
    *("net_cls", "net_prio", "perf_event", "pids", "rdma", "name=systemd"),
}
#: A shell becomes runc, so that it has the number of the shell.
_SCRIPT = 'mount --bind "$0" /proc/$$/cgroup && exec "$@"'
_SLICE = ".slice"


class Restore(typing.NamedTuple):
    """What a restore needs, for the container to have its own groups.

    :param before: the words before runc's command line
    :param configuration: lines for CRIU
    """

    before: list[str]
    configuration: str


def restore(groups: str, work: pathlib.Path) -> Restore:
    """What the restore of a container needs.

    :param groups: what the engine calls the container's groups
    :param work: root's alone; gets a file
    :raises LiveError: it is no name of groups
    """
    path = _path(groups)
    if _UNIFIED.exists():
        return Restore([], f"cgroup-root :{path}\n")
    file, roots = work / "cgroup", _roots()
    lines = (_of_container(line, roots, path) for line in _OWN.read_text().splitlines())
    file.write_text("".join(f"{line}\n" for line in lines))
    words = ["unshare", "--mount", "--propagation=slave", "sh", "-c", _SCRIPT, str(file)]
    return Restore(words, "")


def check(state: pathlib.Path) -> None:
    """See that a restored container is where runc takes it to be, with cgroup v2.

    :param state: runc's record of the container
    :raises LiveError: it is in a group of another one, whose limits bind it
    """
    if not _UNIFIED.exists():
        return
    try:
        table = json.loads(state.read_bytes())
        wanted = str(table["cgroup_paths"][""])
        lines = (_PROC / str(table["init_process_pid"]) / "cgroup").read_text().splitlines()
        (own,) = [line.removeprefix("0::") for line in lines if line.startswith("0::")]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise LiveError(f"it is not known in which control group it is: {e!r}") from e
    if f"{_UNIFIED.parent}{own}" != wanted:
        raise LiveError(f"it is in the control group {own}, not in {wanted}")


def _path(groups: str) -> str:
    """Where a container's groups are in each hierarchy.

    The engine's driver `systemd` gives the words SLICE:PREFIX:NAME.
    """
    if groups.startswith("/"):
        return groups
    try:
        slice_, prefix, name = groups.split(":")
    except ValueError:
        raise LiveError(f"the engine names no control groups, but '{groups}'") from None
    parts = (slice_ or f"system{_SLICE}").removesuffix(_SLICE).split("-")
    slices = ["-".join(parts[: count + 1]) + _SLICE for count in range(len(parts))]
    return "/" + "/".join([*slices, f"{prefix}-{name}.scope"])


def _of_container(line: str, roots: typing.Mapping[str, str], path: str) -> str:
    """A line of /proc/PID/cgroup as a process of the container would have it."""
    number, names, _own = line.split(":", 2)
    found = [roots[name] for name in names.split(",") if name in roots]
    return f"{number}:{names}:{found[0].rstrip('/')}{path}" if found else line


def _roots() -> dict[str, str]:
    """What is mounted of the hierarchies in which runc makes groups, by their names."""
    found: dict[str, str] = {}
    for line in _MOUNTS.read_text().splitlines():
        first, _, second = line.partition(" - ")
        kind, _device, options = second.split()
        if kind == "cgroup":
            found |= dict.fromkeys(_MANAGED.intersection(options.split(",")), first.split()[3])
    return found
