# SPDX-License-Identifier: Apache-2.0
"""Refuses regions beyond what Keystone's unified limits allow a project.

nova-api counts what flavors name by its class, and where ``[fpga] request_quota`` is on, by
`count`, what else flavors and images ask for. The scheduler counts once more, by the same limit and
the same usages, so that moves are counted, and servers of a Nova without unified limits. The
conductor looks again once the regions are allocated: requests that passed together may be too many.
"""

import typing

from keystoneauth1 import exceptions as keystone
from nova import exception, objects
from nova.compute import vm_states
from nova.scheduler.client import report
from openstack import exceptions
from oslo_config import cfg
from oslo_limit import exception as limit_errors
from oslo_limit import limit
from oslo_log import log as logging

from fpga_nova import options as common_options
from fpga_nova import request
from fpga_nova.instance_request import InstanceRequest
from fpga_nova.request import RESOURCE_CLASS
from scheduler_filters import options

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

common_options.register_opts(CONF)
options.register_opts(CONF)

_FAILURES = (
    *(keystone.ClientException, exceptions.SDKException, limit_errors.SessionInitError),
    exception.UsagesRetrievalFailed,
    # So oslo.limit 2.12 says that the endpoint of its configuration is not in Keystone.
    ValueError,
)


def count(resources: dict[str, int], flavor: "objects.Flavor") -> None:
    """Add the regions that a flavor asks for to the resources that nova-api counts of it.

    :param resources: amounts by class; regions that the flavor names by a class are in it already
    """
    more = request.regions_not_named(request.extra_specs_of(flavor), resources)
    if CONF.fpga.request_quota and more:
        resources[RESOURCE_CLASS] = resources.get(RESOURCE_CLASS, 0) + more


def with_image(
    flavor: "objects.Flavor", image: typing.Mapping[str, typing.Any] | None
) -> "objects.Flavor":
    """A flavor with the bitstream that an image names, where the operator accepts any of images.

    :param image: as Glance has it, or what Nova makes of a volume's
    :returns: the very same flavor where that changes nothing
    """
    if not (CONF.fpga.request_quota and CONF.fpga.image_bitstreams):
        return flavor
    properties = (image or {}).get("properties") or {}
    own = request.extra_specs_of(flavor)
    extra_specs = request.with_image(own, properties.get(request.IMAGE_PROPERTY))
    if extra_specs is own:
        return flavor
    copy: objects.Flavor = flavor.obj_clone()
    copy.extra_specs = extra_specs
    return copy


def added(
    request_spec: "objects.RequestSpec", server: "objects.Instance | None", amount: int
) -> int:
    """How many regions a request adds to those that Placement has for its project.

    :param server: the one that is to be moved; None for new ones
    :param amount: how many one server asks for
    """
    if server is None:
        number = request_spec.num_instances if "num_instances" in request_spec else 1
        return amount * (number or 1)
    if server.vm_state == vm_states.SHELVED_OFFLOADED:
        return amount
    return amount - len(InstanceRequest.of(server).bitstreams)


def check(context: typing.Any, project: str, amount: int) -> None:
    """Refuse that many regions more where they exceed the limit of a project.

    :raises nova.exception.RequestFilterFailed: they do, or nobody knows now whether they do
    """
    reason = _refusal(context, project, amount) if amount > 0 else None
    if reason is not None:
        raise exception.RequestFilterFailed(reason=reason)


def recheck(context: typing.Any, servers: "typing.Sequence[objects.Instance | None]") -> None:
    """Refuse new servers whose regions, which are allocated, exceed the limit of their project.

    What is allocated for them is given back, which Nova leaves to whoever deletes them.

    :param servers: of one request, with None for those that are gone
    :raises nova.exception.TooManyInstances: they do, or nobody knows now whether they do
    """
    present = [server for server in servers if server is not None]
    if not present or not (CONF.fpga.request_quota and CONF.quota.recheck_quota):
        return
    extra_specs = InstanceRequest.of(present[0]).account
    if not (asks_scheduler(extra_specs) and request.region_count(extra_specs)):
        return
    reason = _refusal(context, present[0].project_id, 0)
    if reason is None:
        return
    for server in present:
        _give_back(context, server.uuid)
    raise exception.TooManyInstances(reason)


def _give_back(context: typing.Any, server: str) -> None:
    placement = report.report_client_singleton()
    try:
        placement.delete_allocation_for_instance(context, server, force=True)
    except (keystone.ClientException, exception.AllocationDeleteFailed) as e:
        LOG.warning("Server %s keeps its allocation until it is deleted: %s", server, e)


def asks_scheduler(extra_specs: typing.Mapping[str, str]) -> bool:
    """Whether the scheduler asks Placement for regions, and not the flavor; there may be none."""
    asks = CONF.fpga.request_placement or request.functions_wanted(extra_specs)
    return bool(asks) and not request.names_resource(extra_specs)


def _refusal(context: typing.Any, project: str, amount: int) -> str | None:
    """Why a project may not have that many regions beside those that it has; None if it may."""

    def usages(project: str, names: typing.Collection[str]) -> dict[str, int]:
        placement = report.report_client_singleton()
        counts = placement.get_usages_counts_for_limits(context, project)
        return dict.fromkeys(names, counts.get(RESOURCE_CLASS, 0))

    try:
        limit.Enforcer(usages).enforce(project, {request.LIMIT: amount})
    except limit_errors.ProjectOverLimit as e:
        (over,) = e.over_limit_info_list
        if over.limit < 0:  # no limit, which oslo.limit of Zed does not know
            return None
        more = f"; this asks for {over.delta} more" if over.delta else ", those of this server too"
        reason = (
            f"the project has {over.current_usage} FPGA regions and may have {over.limit}{more}"
        )
        LOG.info("Refused for project %s: %s", project, reason)
    except _FAILURES as e:
        LOG.warning("No limit of FPGA regions of project %s: %s", project, e)
        reason = "the project's limit of FPGA regions cannot be known now; try again later"
    else:
        return None
    return reason
