# SPDX-License-Identifier: Apache-2.0
"""Burning from Glance with the real command: what is downloaded, and what is asked each time."""

from pathlib import Path

import pytest
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.image import sources
from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.conftest import owner


def test_second_burn_of_a_bitstream_downloads_nothing(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    host.burn(image, "--owner", owner(0))
    count = len(cloud.requests)
    host.burn(image, "--owner", owner(1))
    assert cloud.downloads == 1
    assert cloud.requests[count:] == [f"/v2/images/{image}"]


def test_burns_at_the_same_time_download_once(host: Host, cloud: OpenStack) -> None:
    host.configure(emulator__regions=4)
    cloud.delay = 0.5
    image = cloud.add(bitstreams.package())
    running = [host.start("burn", image, "--owner", owner(number)) for number in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert cloud.downloads == 1


def test_deleted_image_cannot_be_burnt_though_it_was_before(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    host.burn(image, "--owner", owner(0))
    del cloud.images[image]
    result = host.run("burn", image, "--owner", owner(1))
    assert result.returncode == 67
    assert host.status()["used"] == 1


def test_burn_that_is_killed_in_its_download_leaves_nothing_in_the_way(
    host: Host, cloud: OpenStack
) -> None:
    cloud.delay = 1.5
    image = cloud.add(bitstreams.package())
    running = host.start("burn", image, "--owner", owner(0))
    wait_until(lambda: cloud.downloads > 0)
    running.kill()
    running.communicate()
    assert len(list((host.state / "cache").glob("*.part"))) == 1
    cloud.delay = 0
    host.burn(image, "--owner", owner(1))
    host.burn(image, "--owner", owner(0))
    assert cloud.downloads == 2
    assert list((host.state / "cache").glob("*.part")) == []
    assert host.status()["used"] == 2


def test_damaged_file_in_the_cache_is_downloaded_again(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    host.burn(image, "--owner", owner(0))
    (file,) = (host.state / "cache").glob("sha512-*")
    file.write_bytes(bitstreams.package("crc32"))
    host.burn(image, "--owner", owner(1))
    assert cloud.downloads == 2
    assert {region["function"] for region in host.status()["regions"]} == {"lzo1x_compress"}


def test_package_in_a_file_is_read(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    file = tmp_path / "package.zip"
    file.write_bytes(bitstreams.package())
    assert sources.from_file(conf, file).bitfile == bitstreams.bitfile()


def test_file_that_cannot_be_read_is_reported(conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    with pytest.raises(errors.BadPackage, match="cannot be read: No such file"):
        sources.from_file(conf, tmp_path / "nothing.zip")
    with pytest.raises(errors.BadPackage, match="cannot be read: it is not a file"):
        sources.from_file(conf, tmp_path)
