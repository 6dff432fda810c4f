# SPDX-License-Identifier: Apache-2.0
"""What Placement is asked for on behalf of a flavor with FPGA."""

import json
import types

import pytest
from keystoneauth1 import exceptions
from nova import exception, objects
from nova.scheduler import utils

from scheduler_filters import request_filter
from tests.unit.fpga_hooks.conftest import Instance, an_instance

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
FPGA = {"hw:fpga_ip_id": IMAGE}
REGION = "CUSTOM_FPGA_REGION"


def _spec(extra_specs: dict[str, str], **more) -> objects.RequestSpec:
    flavor = objects.Flavor(
        vcpus=1, memory_mb=64, root_gb=0, ephemeral_gb=0, swap=0, extra_specs=extra_specs
    )
    return objects.RequestSpec(flavor=flavor, is_bfv=False, **more)


def _amount(spec: objects.RequestSpec) -> int:
    """How many regions Nova asks Placement for."""
    return utils.ResourceRequest.from_request_spec(spec).merged_resources().get(REGION, 0)


def test_a_flavor_with_a_bitstream_asks_for_one_region(context, cloud) -> None:
    spec = _spec(FPGA)
    assert request_filter.request_regions(context, spec)
    assert _amount(spec) == 1


@pytest.mark.parametrize("key", [f"resources:{REGION}", f"resources1:{REGION}"])
def test_a_flavor_that_asks_for_its_region_itself_asks_for_no_second_one(
    context, cloud, key
) -> None:
    spec = _spec(FPGA | {key: "1"})
    assert not request_filter.request_regions(context, spec)
    assert _amount(spec) == 1


def test_an_ordinary_flavor_asks_for_none(context, cloud) -> None:
    spec = _spec({"trait:CUSTOM_FPGA": "forbidden"})
    assert not request_filter.request_regions(context, spec)
    assert _amount(spec) == 0


def test_a_second_look_at_the_same_request_adds_nothing(context, cloud) -> None:
    spec = _spec(FPGA)
    request_filter.request_regions(context, spec)
    assert not request_filter.request_regions(context, spec)
    assert _amount(spec) == 1


def test_what_ports_and_others_ask_for_stays(context, cloud) -> None:
    port = objects.RequestGroup(requester_id="port", resources={"NET_BW": 5})
    spec = _spec(FPGA, requested_resources=[port])
    request_filter.request_regions(context, spec)
    assert [group.requester_id for group in spec.requested_resources] == ["port", "fpga-region-1"]


def test_nothing_is_asked_for_until_the_operator_says_that_all_hosts_report(
    config, context
) -> None:
    config(request_placement=False)
    spec = _spec(FPGA)
    assert not request_filter.request_regions(context, spec)
    assert _amount(spec) == 0


def _traits(context, cloud, **properties: str) -> set[str]:
    """What is required of the card for an image with these properties."""
    image = cloud.add(b"", properties=properties)
    spec = _spec({"hw:fpga_ip_id": image})
    assert request_filter.request_regions(context, spec)
    (group,) = spec.requested_resources
    return group.required_traits


def test_board_of_the_bitstream_image_is_required(context, cloud) -> None:
    manifest = json.dumps({"target": {"board": "icebreaker-v1", "part": "up5k"}})
    assert _traits(context, cloud, manifest=manifest, vendor="acme") == {
        "CUSTOM_FPGA_BOARD_ICEBREAKER_V1"
    }


def test_vendor_is_required_where_the_operator_says_so(context, cloud, config) -> None:
    config(image_traits=["vendor", "board"])
    assert _traits(context, cloud, vendor="Acme Inc.", board="x") == {
        "CUSTOM_FPGA_VENDOR_ACME_INC_",
        "CUSTOM_FPGA_BOARD_X",
    }


def test_nothing_is_required_and_glance_not_asked_where_the_operator_says_so(
    context, cloud, config
) -> None:
    config(image_traits=[])
    assert _traits(context, cloud, board="x") == set()
    assert cloud.requests == []


def test_region_is_asked_for_with_any_traits_where_glance_does_not_tell(context, cloud) -> None:
    spec = _spec(FPGA)
    assert request_filter.request_regions(context, spec)
    assert [group.required_traits for group in spec.requested_resources] == [set()]
    assert _amount(spec) == 1


def test_each_region_is_asked_for_with_the_traits_of_its_own_image(context, cloud) -> None:
    first, third = (cloud.add(b"", properties={"board": board}) for board in ("a", "c"))
    spec = _spec({"hw:fpga_ip_id": first, "hw:fpga_ip_id_3": third})
    request_filter.request_regions(context, spec)
    assert [(g.requester_id, g.resources, g.required_traits) for g in spec.requested_resources] == [
        ("fpga-region-1", {REGION: 1}, {"CUSTOM_FPGA_BOARD_A"}),
        ("fpga-region-3", {REGION: 1}, {"CUSTOM_FPGA_BOARD_C"}),
    ]


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ({"hw:fpga_ip_id": "lzo"}, "'lzo', which is not the uuid of an image"),
        ({"hw:fpga_ip_id_7": IMAGE}, "hw:fpga_ip_id_7, which asks for nothing"),
    ],
)
@pytest.mark.parametrize("request_placement", [True, False])
def test_flavor_that_can_be_had_nowhere_is_refused_before_any_host(
    context, config, request_placement, specs, words
) -> None:
    config(request_placement=request_placement)
    with pytest.raises(exception.RequestFilterFailed, match=words):
        request_filter.request_regions(context, _spec(specs))


class Placement:
    """The traits that Placement has of cards: all but those that are missing."""

    def __init__(self) -> None:
        self.status = 200
        self.missing: set[str] = set()
        self.asked: list[str] = []

    def get(self, url: str, version: str) -> types.SimpleNamespace:
        if not self.status:
            raise exceptions.ConnectFailure("Placement is down")
        assert version == "1.6"
        name = url.removeprefix("/traits?name=in:").removesuffix("&associated=true")
        self.asked.append(name)
        traits = sorted({name} - self.missing)
        return types.SimpleNamespace(status_code=self.status, json=lambda: {"traits": traits})


@pytest.fixture
def placement(monkeypatch: pytest.MonkeyPatch) -> Placement:
    placement = Placement()
    monkeypatch.setattr(request_filter.report, "report_client_singleton", lambda: placement)
    return placement


@pytest.mark.parametrize("enabled", [True, False])
def test_function_is_asked_for_by_its_trait(context, cloud, placement, config, enabled) -> None:
    config(request_placement=enabled)
    spec = _spec({"hw:fpga_function": "Sha-2", "hw:fpga_function_3": "zip"})
    assert request_filter.request_regions(context, spec)
    assert [(g.requester_id, g.resources, g.required_traits) for g in spec.requested_resources] == [
        ("fpga-region-1", {REGION: 1}, {"CUSTOM_ACCELERATOR_SHA_2"}),
        ("fpga-region-3", {REGION: 1}, {"CUSTOM_ACCELERATOR_ZIP"}),
    ]
    assert placement.asked == ["CUSTOM_ACCELERATOR_SHA_2", "CUSTOM_ACCELERATOR_ZIP"]
    assert cloud.requests == []


def test_function_and_bitstream_are_asked_for_each_in_its_way(context, cloud, placement) -> None:
    image = cloud.add(b"", properties={"board": "a"})
    spec = _spec({"hw:fpga_ip_id_2": image, "hw:fpga_function": "zip"})
    assert request_filter.request_regions(context, spec)
    assert [group.required_traits for group in spec.requested_resources] == [
        {"CUSTOM_ACCELERATOR_ZIP"},
        {"CUSTOM_FPGA_BOARD_A"},
    ]


def test_flavor_by_class_and_trait_is_sent_as_it_is(context, cloud, placement) -> None:
    spec = _spec({f"resources:{REGION}": "1", "trait:CUSTOM_ACCELERATOR_ZIP": "required"})
    assert not request_filter.request_regions(context, spec)
    assert _amount(spec) == 1
    assert placement.asked == ["CUSTOM_ACCELERATOR_ZIP"]


@pytest.mark.parametrize(
    "specs",
    [
        {"hw:fpga_function": "zip"},
        {f"resources:{REGION}": "1", "trait:CUSTOM_ACCELERATOR_ZIP": "required"},
    ],
)
def test_function_that_no_host_has_is_refused_by_its_name(context, cloud, placement, specs) -> None:
    placement.missing = {"CUSTOM_ACCELERATOR_ZIP"}
    with pytest.raises(exception.RequestFilterFailed) as caught:
        request_filter.request_regions(context, _spec(specs))
    assert "no host has the function 'zip'" in str(caught.value)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Instance:
    """One that is to be moved, and was granted a bitstream for each of two functions."""
    server = an_instance({})
    monkeypatch.setattr(request_filter, "_server", lambda *_arguments: server)
    return server


def test_function_that_no_host_has_any_more_is_asked_for_by_what_was_granted(
    context, cloud, placement, server
) -> None:
    placement.missing = {"CUSTOM_ACCELERATOR_ZIP"}
    image = cloud.add(b"", properties={"board": "a"})
    server.system_metadata = {"fpga_grant_1": f"function {image} zip"}
    spec = _spec({"hw:fpga_function": "zip", "hw:fpga_function_2": "crypto"})
    assert request_filter.request_regions(context, spec)
    assert [group.required_traits for group in spec.requested_resources] == [
        {"CUSTOM_FPGA_BOARD_A"},
        {"CUSTOM_ACCELERATOR_CRYPTO"},
    ]


@pytest.mark.parametrize(
    ("record", "specs"),
    [
        ("function {} crypto", {"hw:fpga_function": "zip"}),
        ("flavor {}", {"hw:fpga_function": "zip"}),
        (
            "function {} zip",
            {f"resources:{REGION}": "1", "trait:CUSTOM_ACCELERATOR_ZIP": "required"},
        ),
    ],
)
def test_function_that_was_not_granted_or_that_the_flavor_requires_is_refused(
    context, cloud, placement, server, record, specs
) -> None:
    placement.missing = {"CUSTOM_ACCELERATOR_ZIP"}
    server.system_metadata = {"fpga_grant_1": record.format(cloud.add(b""))}
    with pytest.raises(exception.RequestFilterFailed, match="no host has the function 'zip'"):
        request_filter.request_regions(context, _spec(specs))


@pytest.mark.parametrize("status", [0, 503])
def test_placement_that_does_not_say_which_traits_it_has_refuses_nothing(
    context, cloud, placement, status
) -> None:
    placement.status = status
    assert request_filter.request_regions(context, _spec({"hw:fpga_function": "zip"}))


def test_regions_of_functions_count_against_the_quota(
    context, cloud, placement, config, monkeypatch
) -> None:
    config(request_placement=False, request_quota=True)
    amounts: list[int] = []
    monkeypatch.setattr(
        request_filter.quota, "check", lambda _context, _project, amount: amounts.append(amount)
    )
    specs = {"hw:fpga_function": "zip", "hw:fpga_function_2": "crypto"}
    request_filter.request_regions(context, _spec(specs, num_instances=2, project_id="p"))
    assert amounts == [4]


def test_function_that_cannot_be_one_is_refused(context, cloud, placement) -> None:
    with pytest.raises(exception.RequestFilterFailed, match="which is not a function"):
        request_filter.request_regions(context, _spec({"hw:fpga_function": "my zip"}))
    assert placement.asked == []
