# SPDX-License-Identifier: Apache-2.0
"""The size of a container's root file system, which few storage drivers of the engine limit."""

import pathlib
import typing

from oslo_log import log as logging

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

_MOUNTS = pathlib.Path("/proc/self/mountinfo")
#: Drivers of the containerd image store have the same names, take a size and ignore it.
_CONTAINERD = "io.containerd.snapshotter.v1"
_QUOTAS = {"prjquota", "pquota"}


def options(
    flavor: "objects.Flavor", info: typing.Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """The size among the arguments of the SDK's ``containers.create``.

    :param info: what the engine tells about itself
    """
    if flavor.root_gb and is_limited(info, _MOUNTS.read_text()):
        return {"storage_opt": {"size": f"{flavor.root_gb}G"}}
    return {}


def report(info: typing.Mapping[str, typing.Any]) -> None:
    """Log whether this host limits what containers write."""
    if is_limited(info, _MOUNTS.read_text()):
        LOG.info("The flavor's disk size limits what a container writes")
    else:
        LOG.warning(
            "Nothing limits what a container writes: storage driver %s on %s has no quotas; see "
            "'Disk size' in the documentation of novadocker",
            info.get("Driver"),
            dict(info.get("DriverStatus") or ()).get(
                "Backing Filesystem", "an unknown file system"
            ),
        )


def is_limited(info: typing.Mapping[str, typing.Any], mounts: str) -> bool:
    """Whether the engine takes a size for the root file system of a container.

    Its drivers btrfs and zfs do, and overlay2 on XFS with project quotas
    (https://docs.docker.com/reference/cli/docker/container/run/#storage-opt).

    :param info: what the engine tells about itself
    :param mounts: the text of /proc/self/mountinfo
    """
    if is_in_containerd(info):
        return False
    status = dict(info.get("DriverStatus") or ())
    if info.get("Driver") in ("btrfs", "zfs"):
        return True
    if info.get("Driver") != "overlay2" or status.get("Backing Filesystem") != "xfs":
        return False
    return not _QUOTAS.isdisjoint(_options_of(str(info.get("DockerRootDir")), mounts))


def is_in_containerd(info: typing.Mapping[str, typing.Any]) -> bool:
    """Whether the engine has images and containers in the containerd image store.

    :param info: what the engine tells about itself
    """
    return dict(info.get("DriverStatus") or ()).get("driver-type") == _CONTAINERD


def _options_of(folder: str, mounts: str) -> list[str]:
    """The options of the file system that a folder is on; see proc_pid_mountinfo(5)."""
    found: tuple[str, list[str]] = ("", [])
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4]
        holds = pathlib.PurePath(folder).is_relative_to(point)
        if holds and len(point) >= len(found[0]):  # the last mount on a point hides others
            found = point, after.split(" ")[-1].split(",")
    return found[1]
