# SPDX-License-Identifier: Apache-2.0
"""What Placement is asked for on behalf of a flavor with FPGA."""

import pytest
from nova import objects
from nova.scheduler import utils
from oslo_config import cfg
from oslo_config import fixture as config_fixture

from scheduler_filters import request_filter

objects.register_all()

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
FPGA = {"hw:fpga_ip_id": IMAGE}
REGION = "CUSTOM_FPGA_REGION"


@pytest.fixture
def config():
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    fixture.config(group="fpga", request_placement=True)
    yield lambda **options: fixture.config(group="fpga", **options)
    fixture.cleanUp()


def _spec(extra_specs: dict[str, str], **more) -> objects.RequestSpec:
    flavor = objects.Flavor(
        vcpus=1, memory_mb=64, root_gb=0, ephemeral_gb=0, swap=0, extra_specs=extra_specs
    )
    return objects.RequestSpec(flavor=flavor, is_bfv=False, **more)


def _asked(spec: objects.RequestSpec) -> int:
    """How many regions Nova asks Placement for."""
    return utils.ResourceRequest.from_request_spec(spec).merged_resources().get(REGION, 0)


def test_a_flavor_with_a_bitstream_asks_for_one_region(config) -> None:
    spec = _spec(FPGA)
    assert request_filter.request_region(None, spec)
    assert _asked(spec) == 1


@pytest.mark.parametrize("key", [f"resources:{REGION}", f"resources1:{REGION}"])
def test_a_flavor_that_asks_for_its_region_itself_asks_for_no_second_one(config, key) -> None:
    spec = _spec(FPGA | {key: "1"})
    assert not request_filter.request_region(None, spec)
    assert _asked(spec) == 1


def test_an_ordinary_flavor_asks_for_none(config) -> None:
    spec = _spec({"trait:CUSTOM_FPGA": "forbidden"})
    assert not request_filter.request_region(None, spec)
    assert _asked(spec) == 0


def test_a_second_look_at_the_same_request_adds_nothing(config) -> None:
    spec = _spec(FPGA)
    request_filter.request_region(None, spec)
    assert not request_filter.request_region(None, spec)
    assert _asked(spec) == 1


def test_what_ports_and_others_ask_for_stays(config) -> None:
    port = objects.RequestGroup(requester_id="port", resources={"NET_BW": 5})
    spec = _spec(FPGA, requested_resources=[port])
    request_filter.request_region(None, spec)
    assert [group.requester_id for group in spec.requested_resources] == ["port", "fpga-region"]


def test_nothing_is_asked_for_until_the_operator_says_that_all_hosts_report(config) -> None:
    config(request_placement=False)
    spec = _spec(FPGA)
    assert not request_filter.request_region(None, spec)
    assert _asked(spec) == 0
