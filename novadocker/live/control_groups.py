# SPDX-License-Identifier: Apache-2.0
"""What a restored container has below /sys/fs/cgroup on a host with cgroup v1.

runc mounts there the groups of the process that does so. At a create that is a process of the
container. At a restore it is runc itself, and the container would have the groups of the whole
host. So that runc sees the container's groups in the place of its own.
"""

import json
import pathlib
import typing

from novadocker.live.errors import LiveError

_OWN, _MOUNTS = pathlib.Path("/proc/self/cgroup"), pathlib.Path("/proc/self/mountinfo")
#: The hierarchies in which runc makes groups (libcontainer/cgroups/fs).
_MANAGED = {
    *("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory"),
    *("net_cls", "net_prio", "perf_event", "pids", "rdma", "name=systemd"),
}
#: A shell becomes runc, so that it has the number of the shell.
_SCRIPT = 'mount --bind "$0" /proc/$$/cgroup && exec "$@"'


def before(bundle: pathlib.Path, work: pathlib.Path) -> list[str]:
    """The words before runc's command line at a restore; none with cgroup v2.

    :param bundle: of the container
    :param work: root's alone; gets a file
    :raises LiveError: it is not known where the container's groups are
    """
    lines = _OWN.read_text().splitlines()
    file = work / "cgroup"
    roots = _roots()
    if not roots:
        return []
    path = _path(bundle)
    file.write_text("".join(f"{_of_container(line, roots, path)}\n" for line in lines))
    return ["unshare", "--mount", "--propagation=slave", "sh", "-c", _SCRIPT, str(file)]


def _path(bundle: pathlib.Path) -> str:
    """Where a container's groups are in each hierarchy."""
    try:
        config = json.loads((bundle / "config.json").read_bytes())
        path = str(config["linux"].get("cgroupsPath") or "")
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise LiveError(f"the bundle {bundle} cannot be read: {e!r}") from e
    if not path.startswith("/"):
        raise LiveError(
            f"its control groups have no path, but '{path}' - on hosts with cgroup v1, live images "
            "need an engine with the cgroup driver cgroupfs"
        )
    return path


def _of_container(line: str, roots: typing.Mapping[str, str], path: str) -> str:
    """A line of /proc/PID/cgroup as a process of the container would have it."""
    number, names, _own = line.split(":", 2)
    found = [roots[name] for name in names.split(",") if name in roots]
    return f"{number}:{names}:{found[0].rstrip('/')}{path}" if found else line


def _roots() -> dict[str, str]:
    """What is mounted of the hierarchies in which runc makes groups, by their names."""
    found = {}
    for line in _MOUNTS.read_text().splitlines():
        first, _, second = line.partition(" - ")
        kind, _device, options = second.split()
        if kind == "cgroup":
            found |= dict.fromkeys(_MANAGED.intersection(options.split(",")), first.split()[3])
    return found
