# SPDX-License-Identifier: Apache-2.0
"""Turns ``hw:fpga_ip_id`` into a request for a region, before Placement is asked for hosts.

FpgaFilter and the claim go on counting by ``hw:fpga_ip_id`` alone, so a region that was asked for
here is counted once by each.
"""

import typing

from nova import objects
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import accounting, traits
from scheduler_filters import bitstreams, conf

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

conf.register_opts(CONF)

#: What the group is called in the request and in the answer's mapping to providers.
REQUESTER = "fpga-region"


def request_region(context: typing.Any, request_spec: "objects.RequestSpec") -> bool:
    """Add a group of one CUSTOM_FPGA_REGION where the flavor wants a region and does not say so.

    A group of its own, and not a part of the flavor's unnumbered one, may be met by a child
    provider, too. It requires the traits of the card that the bitstream image is for, so that a
    host with other cards is never asked.

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
    required = _required_traits(context, accounting.bitstream_of(request_spec.flavor))
    group = objects.RequestGroup(
        requester_id=REQUESTER,
        resources={accounting.RESOURCE_CLASS: wanted},
        required_traits=required,
    )
    request_spec.requested_resources = [*groups, group]
    LOG.debug(
        "Asking Placement for %d %s with %s",
        wanted,
        accounting.RESOURCE_CLASS,
        ", ".join(sorted(required)) or "any traits",
    )
    return True


def _required_traits(context: typing.Any, image_id: str | None) -> set[str]:
    """What a card must be for an image; nothing where that is not known."""
    kinds = CONF.fpga.image_traits
    told = bitstreams.describe(context, image_id) if image_id and kinds else None
    values = {kind: getattr(told, kind, None) for kind in kinds}
    return {traits.name(kind, value) for kind, value in values.items() if value}
