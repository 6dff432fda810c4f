# SPDX-License-Identifier: Apache-2.0
"""Which bitstreams a container image may name."""

import pytest
from nova import exception, objects

from fpga_nova import bitstream_images, image_bitstreams, request
from scheduler_filters import request_filter

BITSTREAM = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"


@pytest.fixture
def allow(config):
    """Have images name these bitstreams."""

    def allow(*sources: str, signed: bool = False) -> None:
        config(image_bitstreams=list(sources), image_bitstreams_signed=signed)

    return allow


def _bitstream(cloud, owner="ops", visibility="private", **properties: str) -> str:
    return cloud.add(b"", properties={"owner": owner, "visibility": visibility, **properties})


def _bitstreams(context, cloud, names: str | None, **extra_specs: str) -> dict[int, str]:
    """What a request asks for, after the scheduler's look at an image that names this."""
    own = {"hw_fpga_ip_id": names} if names else {}
    image = objects.ImageMeta(id=cloud.add(b"", container_format="docker", properties=own))
    specs = {key.replace("__", ":"): value for key, value in extra_specs.items()}
    spec = objects.RequestSpec(flavor=objects.Flavor(extra_specs=specs), image=image)
    request_filter.request_regions(context, spec)
    return request.bitstreams(spec.flavor.extra_specs)


def test_nothing_that_an_image_names_counts_by_default(context, cloud) -> None:
    assert _bitstreams(context, cloud, _bitstream(cloud, visibility="public")) == {}
    assert cloud.requests == []


def test_public_bitstream_is_accepted_where_the_operator_accepts_public_ones(
    context, cloud, allow
) -> None:
    allow("public")
    image_id = _bitstream(cloud, visibility="public")
    assert _bitstreams(context, cloud, image_id) == {1: image_id}


def test_bitstream_of_a_project_is_accepted_where_the_operator_names_the_project(
    context, cloud, allow
) -> None:
    allow("a", "ops")
    image_id = _bitstream(cloud, owner="ops")
    assert _bitstreams(context, cloud, image_id) == {1: image_id}


@pytest.mark.parametrize(
    ("source", "visibility"), [("public", "private"), ("other", "private"), ("other", "public")]
)
def test_any_other_bitstream_is_refused_before_any_host(
    context, cloud, allow, source, visibility
) -> None:
    allow(source)
    with pytest.raises(exception.RequestFilterFailed, match="not one that the operator accepts"):
        _bitstreams(context, cloud, _bitstream(cloud, visibility=visibility))


def test_bitstream_without_a_signature_is_refused_where_one_is_required(
    context, cloud, allow
) -> None:
    allow("ops", signed=True)
    signed = _bitstream(cloud, img_signature="x")
    assert _bitstreams(context, cloud, signed) == {1: signed}
    with pytest.raises(exception.RequestFilterFailed, match="has no signature"):
        _bitstreams(context, cloud, _bitstream(cloud))


@pytest.mark.parametrize(
    ("image_id", "words"), [(BITSTREAM, "does not have or does not show"), ("../x", "not the uuid")]
)
def test_what_is_no_bitstream_is_refused(context, cloud, allow, image_id, words) -> None:
    allow("public", "ops")
    with pytest.raises(exception.RequestFilterFailed, match=words):
        _bitstreams(context, cloud, image_id)


def test_flavor_of_the_operator_goes_before_the_image(context, cloud, allow) -> None:
    allow("public")
    assert _bitstreams(context, cloud, _bitstream(cloud), hw__fpga_ip_id_2=BITSTREAM) == {
        2: BITSTREAM
    }


def test_image_that_names_none_asks_for_none(context, cloud, allow) -> None:
    allow("public")
    assert _bitstreams(context, cloud, None) == {}


def test_request_without_an_image_asks_for_none(context, cloud, allow) -> None:
    allow("public")
    spec = objects.RequestSpec(flavor=objects.Flavor(extra_specs={}), image=None)
    assert not request_filter.request_regions(context, spec)


def test_build_refuses_what_the_scheduler_would_have_refused(context, cloud, allow) -> None:
    allow("ops")
    words = image_bitstreams.refusal(context, _bitstream(cloud, owner="somebody"))
    assert words is not None
    assert "not one that the operator accepts" in words


def test_glance_is_not_asked_where_the_flavor_of_the_operator_goes_before(
    context, cloud, allow
) -> None:
    allow("ops")
    image_id = _bitstream(cloud)
    _bitstreams(context, cloud, image_id, hw__fpga_ip_id=BITSTREAM)
    assert not any(image_id in path for path in cloud.requests)


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_request_passes_where_glance_does_not_answer_for_the_bitstream(
    context, cloud, allow, status
) -> None:
    allow("ops")
    image_id = _bitstream(cloud, owner="ops")
    cloud.answers[f"/v2/images/{image_id}"] = status
    assert _bitstreams(context, cloud, image_id) == {1: image_id}
    with pytest.raises(bitstream_images.UnansweredError, match="try again"):
        image_bitstreams.refusal(context, image_id)
