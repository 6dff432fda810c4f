# SPDX-License-Identifier: Apache-2.0
"""Refuses regions beyond what Keystone's unified limits allow a project.

nova-api counts the regions of flavors that name the resource class. It does not see those that the
request filter adds, so they are counted there, by the same limit and the same usages.
"""

import typing

from keystoneauth1 import exceptions as keystone
from nova import exception, objects
from nova.compute import vm_states
from nova.scheduler.client import report
from openstack import exceptions
from oslo_limit import exception as limit_errors
from oslo_limit import limit
from oslo_log import log as logging

from fpga_nova.instance_request import InstanceRequest
from fpga_nova.request import RESOURCE_CLASS

LOG = logging.getLogger(__name__)

#: What the limit is called in Keystone, as nova-api calls it.
NAME = f"class:{RESOURCE_CLASS}"

_FAILURES = (
    *(keystone.ClientException, exceptions.SDKException, limit_errors.SessionInitError),
    exception.UsagesRetrievalFailed,
    # So oslo.limit 2.12 says that the endpoint of its configuration is not in Keystone.
    ValueError,
)


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
    if amount <= 0:
        return

    def usages(project: str, names: typing.Collection[str]) -> dict[str, int]:
        placement = report.report_client_singleton()
        counts = placement.get_usages_counts_for_limits(context, project)
        return dict.fromkeys(names, counts.get(RESOURCE_CLASS, 0))

    try:
        limit.Enforcer(usages).enforce(project, {NAME: amount})
    except limit_errors.ProjectOverLimit as e:
        (over,) = e.over_limit_info_list
        reason = (
            f"the project has {over.current_usage} FPGA regions and may have {over.limit}; "
            f"this asks for {over.delta} more"
        )
        LOG.info("Refused for project %s: %s", project, reason)
    except _FAILURES as e:
        LOG.warning("No limit of FPGA regions of project %s: %s", project, e)
        reason = "the project's limit of FPGA regions cannot be known now; try again later"
    else:
        return
    raise exception.RequestFilterFailed(reason=reason)
