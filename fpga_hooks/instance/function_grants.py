# SPDX-License-Identifier: Apache-2.0
"""Chooses a bitstream for each function that a flavor asks for, at the build on this host.

The choice goes on record as the grant. It stands while the host can burn it, whatever the policy
has become. On a host with another board, another bitstream of the same function is chosen.
"""

import typing

from nova import exception
from oslo_config import cfg

from fpga_hooks.functions import catalogue, choice
from fpga_hooks.instance import cards
from fpga_hooks.program import client, errors
from fpga_nova import bitstream_images, grants, host_status
from fpga_nova.contract import Exit
from fpga_nova.grants import Grant, Grants, Rule
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import context as nova_context

CONF = cfg.CONF

_Regions = list[host_status.Region]


def decide(
    context: "nova_context.RequestContext", request: InstanceRequest, programmed: Grants
) -> Grants:
    """What an instance is granted for the functions that it asks for, by number of the region.

    :param programmed: what programs of the running server gave, which stands
    :raises errors.CliError: this host has nothing for it, or no host has
    :raises nova.exception.NovaException: that cannot be known now
    """
    if not request.functions:
        return {}
    status = client.status()
    own = status.owned_by(request.owner)
    pool = _free(context, request, status)
    rights = {}
    for number, function in request.functions.items():
        if number in programmed:
            rights[number] = programmed[number]
            continue
        places = [own[number]] if number in own else []
        grant = (request.grants or {}).get(number)
        if grant is None or not _stands(grant, function, places, pool):
            grant = _choose(context, function, (places, pool), status, grant)
        rights[number] = grant
        if not places:
            _take(grant, pool)
    return rights


def _free(
    context: "nova_context.RequestContext", request: InstanceRequest, status: host_status.Status
) -> _Regions:
    """The free regions of the host, or of the cards that Placement chose."""
    devices = cards.of_allocation(context, request.owner)
    return [r for r in status.regions if r.state == "free" and (r.device in devices or not devices)]


def _stands(grant: Grant, function: str, own: _Regions, pool: _Regions) -> bool:
    """Whether what was chosen is good here, too; also where that is not known."""
    if grant.rule != Rule.FUNCTION or grant.function != function:
        return False
    if any(region.image_id == grant.image_id for region in own):
        return True
    bitstream = catalogue.ours.get(grant.image_id)
    if bitstream is None:
        return not catalogue.ours.known
    return any(choice.suits(bitstream, region) for region in (*own, *pool))


def _choose(
    context: "nova_context.RequestContext",
    function: str,
    places: tuple[_Regions, _Regions],
    status: host_status.Status,
    recorded: Grant | None,
) -> Grant:
    """The best accepted bitstream that the user may see, for the region at hand or for a free one.

    :param recorded: what was granted before, which this host cannot burn
    :raises errors.CliError: there is none
    :raises nova.exception.InstanceDeployFailure: Glance does not answer, or has not yet
    """
    if CONF.fpga.function_bitstreams and not catalogue.ours.known:
        raise exception.InstanceDeployFailure(
            reason=f"this host does not know yet which bitstreams of the function '{function}' "
            "Glance has, so try again"
        )
    for regions in places:
        for bitstream in choice.of(function, regions):
            if _shown(context, bitstream):
                return grants.of_function(bitstream.id, function)
    if any(_shown(context, bitstream) for bitstream in choice.of(function, status.regions)):
        why = f"no free region: all for which there is a bitstream of '{function}' are taken"
        raise errors.CliError(Exit.NO_FREE_REGION, why)
    every = choice.all_of(function)
    if any(_shown(context, bitstream) for bitstream in every):
        why = f"no matching hardware found: no bitstream of '{function}' is for a card of this host"
        raise errors.CliError(Exit.NO_MATCHING_HARDWARE, why)
    if every:
        why = f"Glance does not show you any bitstream of the function '{function}'"
        raise errors.CliError(Exit.NO_IMAGE, why)
    why = f"the operator accepts no bitstream of the function '{function}'"
    if recorded is not None and recorded.function == function:
        # A host that can burn what is on record needs no other one.
        why += f", and this host cannot burn {recorded.image_id}, which the server has had"
        raise errors.CliError(Exit.NO_MATCHING_HARDWARE, why)
    raise errors.CliError(Exit.NO_IMAGE, why)


def _shown(context: "nova_context.RequestContext", bitstream: catalogue.Bitstream) -> bool:
    """Whether Glance has it still, and shows it to the user."""
    try:
        return bitstream_images.describe(context, bitstream.id) is not None
    except bitstream_images.UnansweredError as e:
        raise exception.InstanceDeployFailure(reason=str(e)) from e


def _take(grant: Grant, pool: _Regions) -> None:
    """Take a region for which a bitstream is out of those that are free."""
    bitstream = catalogue.ours.get(grant.image_id)
    for region in pool:
        if bitstream is None or choice.suits(bitstream, region):
            pool.remove(region)
            return
