# SPDX-License-Identifier: Apache-2.0
"""Bitstream images that changed are fetched, and their models made, before anybody burns them."""

import json
import typing

import pytest

from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.conftest import owner


def upload(cloud: OpenStack, data: bytes, **properties: typing.Any) -> str:
    """An image with the tag."""
    return cloud.add(data, properties={"tags": ["FPGA"]} | properties)


def prepare(host: Host) -> None:
    ran = host.run("prepare")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_tagged_images_are_fetched_once(host: Host, cloud: OpenStack) -> None:
    images = [upload(cloud, bitstreams.package(core)) for core in ("crc32", "lzo1x_compress")]
    cloud.add(bitstreams.package(description="without the tag"))
    prepare(host)
    assert cloud.downloads == 2
    count = len(cloud.requests)
    prepare(host)
    assert all(path.startswith("/v2/images?") for path in cloud.requests[count:])
    host.burn(images[0], "--owner", owner())
    assert cloud.downloads == 2


def test_image_with_other_data_is_fetched_anew(host: Host, cloud: OpenStack) -> None:
    image = upload(cloud, bitstreams.package())
    prepare(host)
    cloud.images[image].data = bitstreams.package("crc32")
    prepare(host)
    assert cloud.downloads == 2


@pytest.mark.parametrize(
    ("manifest", "downloads"),
    [
        ({"target": {"board": "another", "part": "hx8k"}}, 0),
        ({"target": {"board": "emulator", "part": "software"}}, 1),
        ({"target": 1}, 1),
    ],
    ids=["other board", "this board", "none"],
)
def test_image_for_other_hardware_is_not_fetched(
    host: Host, cloud: OpenStack, manifest: dict[str, typing.Any], downloads: int
) -> None:
    upload(cloud, bitstreams.package(), manifest=json.dumps(manifest))
    prepare(host)
    assert cloud.downloads == downloads


def test_what_the_cache_has_no_room_for_is_not_fetched(host: Host, cloud: OpenStack) -> None:
    for core in ("crc32", "lzo1x_compress"):
        latest = bitstreams.package(core)
        upload(cloud, latest)
    host.configure(packages__cache_size=len(latest) + 10)
    prepare(host)
    assert cloud.downloads == 1


@pytest.mark.parametrize(("status", "downloads"), [(None, 1), (503, 2)])
def test_bad_package_is_left_alone_and_a_failure_is_tried_again(
    host: Host, cloud: OpenStack, status: int | None, downloads: int
) -> None:
    upload(cloud, b"no zip" * 10)
    host.configure(glance__status_code_retries=0)
    if status is not None:
        cloud.answers["/file$"] = status
    prepare(host)
    prepare(host)
    assert cloud.downloads == downloads


def test_glance_that_is_down_is_reported(host: Host, cloud: OpenStack) -> None:
    cloud.stop()
    assert host.run("prepare").returncode == 73


def test_driver_that_prepares_nothing_gets_a_token_only(host: Host, cloud: OpenStack) -> None:
    host.configure(drivers="fake")
    upload(cloud, bitstreams.package())
    prepare(host)
    prepare(host)
    assert cloud.requests == ["/v3/auth/tokens"]


def test_server_prepares_by_itself(host: Host, cloud: OpenStack) -> None:
    upload(cloud, bitstreams.package())
    with host.served():
        wait_until(lambda: cloud.downloads == 1, 30)


def test_model_of_a_bitstream_is_made_before_its_first_burn(host: Host, cloud: OpenStack) -> None:
    host.configure(emulator__engine="icarus", emulator__parts="hx8k")
    image = upload(cloud, bitstreams.real_package("crc32", "hx8k"))
    prepare(host)

    def models() -> set[str]:
        return {path.name for path in (host.state / "emulator-models" / "models").iterdir()}

    before = models()
    assert any(name.endswith(".icarus") for name in before)
    host.burn(image, "--owner", owner())
    assert models() == before
