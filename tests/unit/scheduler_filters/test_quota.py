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

from fpga_nova import grants
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
    """What Placement counts for a project."""

    def __init__(self, usages: dict[str, int]) -> None:
        self._usages = usages

    def get_usages_counts_for_limits(self, _context: object, _project: str) -> dict[str, int]:
        return self._usages


@pytest.fixture
def limited(monkeypatch) -> typing.Iterator[typing.Callable[[dict[str, int]], None]]:
    """A limit of two regions, of which a project uses some."""

    def limit(usages: dict[str, int]) -> None:
        monkeypatch.setattr(report, "report_client_singleton", lambda: _Placement(usages))

    where = config_fixture.Config(cfg.CONF)
    with where, limit_fixture.LimitFixture({quota.NAME: 2}, {}):
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
