# SPDX-License-Identifier: Apache-2.0
"""A real Docker Engine on btrfs, which limits what a container writes."""

import pathlib
import shutil
import subprocess
import tempfile

import pytest

from tests.functional.novadocker import dockerd as engines

_SIZE = "3G"


@pytest.fixture(scope="module")
def folder():
    """A folder on a btrfs of its own, in a sparse file."""
    if shutil.which("mkfs.btrfs", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        pytest.skip("mkfs.btrfs is missing - run 'apt-get install btrfs-progs'")
    with tempfile.TemporaryDirectory(prefix="nq-", dir="/tmp") as parent:
        file, mounted = pathlib.Path(parent, "disk"), pathlib.Path(parent, "mounted")
        mounted.mkdir()
        subprocess.run(["truncate", f"--size={_SIZE}", str(file)], check=True)
        subprocess.run(["mkfs.btrfs", "--quiet", str(file)], check=True)
        done = subprocess.run(["mount", "-o", "loop", str(file), str(mounted)], check=False)
        if done.returncode:
            pytest.skip("this kernel does not mount btrfs from a file")
        yield mounted
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture(scope="module")
def dockerd(folder):
    """The engine of these tests."""
    yield from engines.started("--storage-driver=btrfs", f"--data-root={folder}")


@pytest.mark.skipif(bool(engines.ENGINE), reason="the containerd image store has no quotas")
def test_a_container_writes_no_more_than_the_disk_of_its_flavor(servers):
    instance = servers.boot()
    assert servers.container(instance).attrs["HostConfig"]["StorageOpt"] == {"size": "1G"}
    assert servers.run(instance, "fallocate -l 300M /a")[0] == 0
    code, output = servers.run(instance, "fallocate -l 1000M /b")
    assert code != 0
    assert "quota exceeded" in output


@pytest.mark.skipif(not engines.ENGINE, reason="not the containerd image store")
def test_the_containerd_image_store_is_not_asked(servers):
    container = servers.container(servers.boot())
    assert not container.attrs["HostConfig"].get("StorageOpt")


def test_a_flavor_without_a_disk_has_no_limit(servers):
    instance = servers.instance()
    instance.flavor.root_gb = 0
    servers.spawn(instance)
    assert servers.run(instance, "fallocate -l 1100M /a")[0] == 0
