# SPDX-License-Identifier: Apache-2.0
"""Which engines limit the root file system of a container; none of the project's own does."""

import types

import pytest

from novadocker import root_disk

_XFS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /var/lib/docker rw,relatime shared:9 - xfs /dev/sdb1 rw,attr2,{}
31 22 8:3 / /var/lib/dock rw,relatime shared:9 - xfs /dev/sdc1 rw,prjquota
32 30 0:40 / /var/lib/docker/overlay2/x/merged rw,relatime - overlay overlay rw,lowerdir=/a
"""


def _info(driver, **status):
    status = [[name.replace("_", " "), value] for name, value in status.items()]
    return {"Driver": driver, "DriverStatus": status, "DockerRootDir": "/var/lib/docker"}


@pytest.mark.parametrize(
    ("info", "option", "expected"),
    [
        (_info("btrfs", Btrfs=""), "noquota", True),
        (_info("zfs", Zpool="tank"), "noquota", True),
        (_info("overlay2", Backing_Filesystem="xfs"), "prjquota", True),
        (_info("overlay2", Backing_Filesystem="xfs"), "usrquota", False),
        (_info("overlay2", Backing_Filesystem="extfs"), "prjquota", False),
        (_info("overlayfs", **{"driver-type": "io.containerd.snapshotter.v1"}), "prjquota", False),
        (_info("btrfs", **{"driver-type": "io.containerd.snapshotter.v1"}), "prjquota", False),
        (_info("vfs"), "prjquota", False),
        ({}, "prjquota", False),
    ],
)
def test_the_storage_driver_and_its_file_system_decide(info, option, expected):
    assert root_disk.is_limited(info, _XFS.format(option)) is expected


@pytest.mark.parametrize(("root_gb", "expected"), [(0, {}), (10, {"storage_opt": {"size": "10G"}})])
def test_the_size_is_that_of_the_flavor(root_gb, expected):
    flavor = types.SimpleNamespace(root_gb=root_gb)
    assert root_disk.options(flavor, _info("btrfs")) == expected


def test_an_engine_that_cannot_is_not_asked(tmp_path):
    flavor = types.SimpleNamespace(root_gb=10)
    assert root_disk.options(flavor, _info("overlay2", Backing_Filesystem="extfs")) == {}
