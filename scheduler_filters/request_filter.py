# SPDX-License-Identifier: Apache-2.0
"""Turns ``hw:fpga_ip_id`` into a request for a region, before Placement is asked for hosts.

FpgaFilter and the claim go on counting by ``hw:fpga_ip_id`` alone, so a region that was asked for
here is counted once by each.
"""

import typing

from nova import objects
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import accounting
from scheduler_filters import conf

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

conf.register_opts(CONF)

#: What the group is called in the request and in the answer's mapping to providers.
REQUESTER = "fpga-region"


def request_region(_context: typing.Any, request_spec: "objects.RequestSpec") -> bool:
    """Add a group of one CUSTOM_FPGA_REGION where the flavor wants a region and does not say so.

    A group of its own, and not a part of the flavor's unnumbered one, may be met by a child
    provider, too.

    :returns: whether it was added
    """
    if not CONF.fpga.request_placement:
        return False
    extra_specs = accounting.extra_specs_of(request_spec.flavor)
    wanted = accounting.regions_wanted(extra_specs)
    if not wanted or accounting.names_resource(extra_specs):
        return False
    groups = request_spec.requested_resources if "requested_resources" in request_spec else None
    groups = list(groups or ())
    if any(group.requester_id == REQUESTER for group in groups):
        return False
    group = objects.RequestGroup(
        requester_id=REQUESTER, resources={accounting.RESOURCE_CLASS: wanted}
    )
    request_spec.requested_resources = [*groups, group]
    LOG.debug("Asking Placement for %d %s", wanted, accounting.RESOURCE_CLASS)
    return True
