# SPDX-License-Identifier: Apache-2.0
"""What is read off a bitstream image, by Nova's image API from a Glance that speaks HTTP."""

import json
import time

import pytest
from nova import context as nova_context

from fpga_nova import bitstream_images
from tests.support import openstack

MANIFEST = json.dumps({"target": {"board": "icebreaker", "part": "up5k"}})
UNKNOWN = "99999999-9999-4999-8999-999999999999"


def _lookups(cloud: openstack.OpenStack) -> int:
    return sum("/images/" in path for path in cloud.requests)


def test_vendor_is_a_property_and_board_is_in_the_manifest(cloud, context) -> None:
    image = cloud.add(b"", properties={"vendor": "acme", "manifest": MANIFEST})
    assert bitstream_images.describe(context, image) == bitstream_images.Bitstream(
        "acme", "icebreaker"
    )


def test_property_board_goes_before_the_manifest(cloud, context) -> None:
    image = cloud.add(b"", properties={"board": "u250", "manifest": MANIFEST})
    assert bitstream_images.describe(context, image) == bitstream_images.Bitstream(None, "u250")


def test_image_without_properties_describes_nothing(cloud, context) -> None:
    assert bitstream_images.describe(context, cloud.add(b"")) == bitstream_images.Bitstream()


@pytest.mark.parametrize("manifest", ["{", "[]", '"x"', "{}", '{"target": []}'])
def test_flawed_manifest_names_no_board_and_is_logged(cloud, context, caplog, manifest) -> None:
    image = cloud.add(b"", properties={"manifest": manifest})
    assert bitstream_images.describe(context, image) == bitstream_images.Bitstream()
    assert f"manifest of image {image}" in caplog.text


def test_unknown_image_is_logged_and_not_described(cloud, context, caplog) -> None:
    assert bitstream_images.describe(context, UNKNOWN) is None
    assert f"Glance has no image {UNKNOWN}" in caplog.text


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_refusal_of_glance_leaves_it_open(cloud, context, caplog, status) -> None:
    cloud.answers["/v2/images"] = status
    with pytest.raises(bitstream_images.UnansweredError, match="try again"):
        bitstream_images.describe(context, cloud.add(b""))
    assert "Glance does not answer" in caplog.text


def test_glance_that_is_down_leaves_it_open(cloud, context, caplog) -> None:
    cloud.stop()
    with pytest.raises(bitstream_images.UnansweredError, match="try again"):
        bitstream_images.describe(context, UNKNOWN)
    assert "Glance does not answer" in caplog.text


def test_second_question_is_answered_without_glance(cloud, context) -> None:
    image = cloud.add(b"", properties={"vendor": "acme"})
    answers = [bitstream_images.describe(context, image) for _ in range(3)]
    assert answers == [bitstream_images.Bitstream("acme")] * 3
    assert _lookups(cloud) == 1


def test_failure_is_remembered_too_so_that_a_slow_glance_slows_one_request(cloud, context) -> None:
    cloud.answers["/v2/images"] = 500
    for _attempt in range(3):
        with pytest.raises(bitstream_images.UnansweredError):
            bitstream_images.describe(context, UNKNOWN)
    assert _lookups(cloud) == 1


def test_another_project_does_not_get_what_this_one_sees(cloud, context) -> None:
    image = cloud.add(b"", properties={"vendor": "acme"})
    bitstream_images.describe(context, image)
    cloud.answers["/v2/images"] = 404
    other = nova_context.RequestContext("user", "other", is_admin=False, auth_token=openstack.TOKEN)
    assert bitstream_images.describe(other, image) is None


def test_answer_is_forgotten_after_a_while(cloud, context, monkeypatch) -> None:
    image = cloud.add(b"", properties={"vendor": "acme"})
    bitstream_images.describe(context, image)
    cloud.images[image].properties["vendor"] = "emca"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + bitstream_images.REMEMBERED + 1)
    assert bitstream_images.describe(context, image) == bitstream_images.Bitstream("emca")
