# SPDX-License-Identifier: Apache-2.0
"""How many regions a request adds to those of its project, and what refuses them."""

import typing

import pytest
from keystoneauth1 import exceptions as keystone
from nova import exception, objects
from nova.compute import task_states, vm_states
from nova.scheduler.client import report
from oslo_config import cfg
from oslo_config import fixture as config_fixture
from oslo_limit import fixture as limit_fixture

from fpga_nova import grants, request
from scheduler_filters import quota

SERVER = "11111111-2222-4333-8444-555555555555"
IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"


def _server(extra_specs: dict[str, str], vm_state: str, **more) -> objects.Instance:
    flavor = objects.Flavor(extra_specs=extra_specs)
    metadata = grants.write(grants.of_flavor(extra_specs), None)
    return objects.Instance(
        uuid=SERVER, flavor=flavor, vm_state=vm_state, system_metadata=metadata, **more
    )


def test_new_servers_of_one_request_add_up() -> None:
    assert quota.added(objects.RequestSpec(num_instances=3), None, 2) == 6
    assert quota.added(objects.RequestSpec(), None, 2) == 2


@pytest.mark.parametrize(
    ("vm_state", "added"), [(vm_states.ACTIVE, 1), (vm_states.SHELVED_OFFLOADED, 2)]
)
def test_server_adds_what_it_does_not_have(vm_state: str, added: int) -> None:
    server = _server({"hw:fpga_ip_id": IMAGE}, vm_state, task_state=task_states.RESIZE_PREP)
    # A request keeps how many servers it was for when the server was new.
    assert quota.added(objects.RequestSpec(num_instances=3), server, 2) == added


class _Placement:
    """What Placement counts for a project, and for whom it deletes allocations."""

    def __init__(self, usages: dict[str, int]) -> None:
        self._usages = usages
        self.deletions: list[str] = []
        self.failure: Exception | None = None

    def get_usages_counts_for_limits(self, _context: object, _project: str) -> dict[str, int]:
        return self._usages

    def delete_allocation_for_instance(self, _context: object, uuid: str, force: bool) -> bool:
        self.deletions.append(uuid)
        if self.failure is not None:
            raise self.failure
        return force


@pytest.fixture
def limited(monkeypatch) -> typing.Iterator[typing.Callable[[dict[str, int]], _Placement]]:
    """A limit of two regions, of which a project uses some."""

    def limit(usages: dict[str, int]) -> _Placement:
        placement = _Placement(usages)
        monkeypatch.setattr(report, "report_client_singleton", lambda: placement)
        return placement

    where = config_fixture.Config(cfg.CONF)
    with where, limit_fixture.LimitFixture({request.LIMIT: 2}, {}):
        where.config(group="oslo_limit", endpoint_id="nova")  # the only way of older series
        yield limit


def test_regions_within_the_limit_pass(limited) -> None:
    limited({})
    quota.check(None, "project", 2)
    limited({"CUSTOM_FPGA_REGION": 1, "VCPU": 9})
    quota.check(None, "project", 1)


def test_region_beyond_the_limit_is_refused_with_figures(limited) -> None:
    limited({"CUSTOM_FPGA_REGION": 1})
    with pytest.raises(exception.RequestFilterFailed, match=r"has 1 .* may have 2; .* for 2 more"):
        quota.check(None, "project", 2)


def test_request_that_adds_nothing_asks_nobody() -> None:
    quota.check(None, "project", 0)
    quota.check(None, "project", -1)


@pytest.mark.parametrize(
    "failure", [exception.UsagesRetrievalFailed(error="503"), keystone.ConnectFailure("down")]
)
def test_what_nobody_knows_is_refused(limited, monkeypatch, failure) -> None:
    def fail() -> None:
        raise failure

    monkeypatch.setattr(report, "report_client_singleton", fail)
    with pytest.raises(exception.RequestFilterFailed, match="cannot be known now"):
        quota.check(None, "project", 1)


def test_nova_counts_what_flavors_ask_for_where_the_operator_says_so(config) -> None:
    flavor = objects.Flavor(extra_specs={"hw:fpga_ip_id": IMAGE, "hw:fpga_function_2": "crypto"})
    resources = {"VCPU": 1}
    quota.count(resources, flavor)
    assert resources == {"VCPU": 1}
    config(request_quota=True)
    quota.count(resources, flavor)
    assert resources == {"VCPU": 1, "CUSTOM_FPGA_REGION": 2}


@pytest.mark.parametrize("name", ["CUSTOM_FPGA_REGION", "CUSTOM_FPGA_INTEL_PF"])
def test_what_a_flavor_names_by_its_class_counts_once(config, name: str) -> None:
    config(request_quota=True)
    resources = {name: 1}
    quota.count(resources, objects.Flavor(extra_specs={"hw:fpga_ip_id": IMAGE}))
    assert resources == {name: 1}


def test_flavor_without_extra_specs_counts_nothing(config) -> None:
    config(request_quota=True)
    resources: dict[str, int] = {}
    quota.count(resources, objects.Flavor())
    assert resources == {}


def test_region_that_an_image_names_counts_and_leaves_the_flavor_alone(config) -> None:
    config(request_quota=True, image_bitstreams=["public"])
    flavor = objects.Flavor(extra_specs={})
    counted = quota.with_image(flavor, {"properties": {"hw_fpga_ip_id": IMAGE}})
    assert counted.extra_specs == {"hw:fpga_ip_id": IMAGE}
    assert flavor.extra_specs == {}


@pytest.mark.parametrize(
    ("image", "options"),
    [
        ({"properties": {"hw_fpga_ip_id": IMAGE}}, {"image_bitstreams": []}),
        ({"properties": {"hw_fpga_ip_id": IMAGE}}, {"request_quota": False}),
        ({"properties": {}}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_flavor_is_the_same_where_an_image_asks_for_nothing(config, image, options) -> None:
    config(**{"request_quota": True, "image_bitstreams": ["public"]} | options)
    flavor = objects.Flavor(extra_specs={})
    assert quota.with_image(flavor, image) is flavor


def _new(extra_specs: dict[str, str]) -> objects.Instance:
    server = _server(extra_specs, vm_states.BUILDING, task_state=None, project_id="project")
    server.system_metadata = {}
    return server


def test_new_servers_beyond_the_limit_hold_nothing_any_more(limited, config) -> None:
    config(request_quota=True)
    placement = limited({"CUSTOM_FPGA_REGION": 3})
    with pytest.raises(exception.TooManyInstances, match="has 3 FPGA regions and may have 2, thos"):
        quota.recheck(None, [None, _new({"hw:fpga_ip_id": IMAGE})])
    assert placement.deletions == [SERVER]


def test_new_servers_are_refused_where_placement_does_not_delete(limited, config) -> None:
    config(request_quota=True)
    placement = limited({"CUSTOM_FPGA_REGION": 3})
    placement.failure = exception.AllocationDeleteFailed(consumer_uuid=SERVER, error="503")
    with pytest.raises(exception.TooManyInstances):
        quota.recheck(None, [_new({"hw:fpga_function": "crypto"})])


@pytest.mark.parametrize(
    ("extra_specs", "used", "options"),
    [
        ({"hw:fpga_ip_id": IMAGE}, 2, {}),
        ({"hw:fpga_ip_id": IMAGE}, 3, {"request_quota": False}),
        ({"hw:fpga_ip_id": IMAGE}, 3, {"request_placement": False}),
        ({"hw:fpga_ip_id": IMAGE, "resources:CUSTOM_FPGA_REGION": "1"}, 3, {}),
        ({}, 3, {}),
    ],
)
def test_new_servers_pass(limited, config, extra_specs, used, options) -> None:
    config(**{"request_quota": True} | options)
    placement = limited({"CUSTOM_FPGA_REGION": used})
    quota.recheck(None, [_new(extra_specs)])
    assert placement.deletions == []


def test_request_of_which_no_server_is_there_any_more_passes(config) -> None:
    config(request_quota=True)
    quota.recheck(None, [None])


def test_limit_of_minus_one_is_none(limited, config) -> None:
    limited({"CUSTOM_FPGA_REGION": 9})
    with limit_fixture.LimitFixture({request.LIMIT: -1}, {}):
        quota.check(None, "project", 1)
