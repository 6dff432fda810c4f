# SPDX-License-Identifier: Apache-2.0
"""Burns on the cards that Placement chose, where each card has a provider of its own."""

import typing

from keystoneauth1 import exceptions as keystone_exceptions
from nova import exception
from nova.scheduler.client import report

from fpga_hooks.instance import guests
from fpga_hooks.placement import providers
from fpga_hooks.program import client, errors
from fpga_nova import grants, host_status, region_classes
from fpga_nova.contract import Exit
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import context as nova_context


def of_allocation(context: "nova_context.RequestContext", consumer: str) -> list[str]:
    """The cards of this host that an instance has allocated, one for each region.

    None where the cards have no providers, or the flavor did not ask Placement for regions.

    :raises nova.exception.ConsumerAllocationRetrievalFailed: Placement does not answer
    """
    if not providers.ours.by_card:
        return []
    try:
        answer = report.report_client_singleton().get_allocs_for_consumer(context, consumer)
    except keystone_exceptions.ClientException as e:
        raise exception.ConsumerAllocationRetrievalFailed(
            consumer_uuid=consumer, error=str(e)
        ) from e
    cards: list[str] = []
    for provider, allocation in answer["allocations"].items():
        card = providers.ours.card_of(provider)
        if card is not None:
            cards += [card] * region_classes.amount(allocation["resources"])
    return cards


def burn(request: InstanceRequest, cards: list[str]) -> dict[int, str]:
    """Burn what was granted, one bitstream after the other, on these cards.

    What the owner holds already stays on its card. Placement does not say which number is for
    which card: one that does not take an image is left for the next.

    :param cards: those of `of_allocation`; with none, any card will do
    :returns: the regions' ids by number
    :raises errors.CliError: one could not be burnt
    """
    owner = request.owner
    regions = client.status().owned_by(owner) if cards else {}
    pool = free_of(cards, regions)
    return {
        number: burn_one(grant, owner, number, [] if number in regions else pool)
        for number, grant in (request.grants or {}).items()
    }


def free_of(cards: list[str], regions: typing.Mapping[int, host_status.Region]) -> list[str]:
    """The cards without those that the owner's regions are on already."""
    pool = list(cards)
    for region in regions.values():
        if region.device in pool:
            pool.remove(region.device)
    return pool


def burn_one(grant: grants.Grant, owner: str, number: int, pool: list[str]) -> str:
    """Burn a granted bitstream on the first of these cards that takes it; take the card from them.

    Nothing else burns for an instance. What the instance holds by this number, and what cannot hold
    the bitstream, is erased first if no guest has it.

    :raises errors.CliError: none took it
    """
    try:
        return _burn_first(grant, owner, number, pool)
    except errors.CliError as e:
        if e.code != Exit.HANDED_OUT:
            raise
        _take_back(owner, number, e)
    return _burn_first(grant, owner, number, pool)


def _take_back(owner: str, number: int, refusal: errors.CliError) -> None:
    """Erase a region of an instance whose guest is gone.

    :raises errors.CliError: it is not gone, or that is not known
    """
    region = client.status().owned_by(owner).get(number)
    if region is None:
        return
    try:
        holders = guests.machine.with_nodes(region.paths, owner)
    except guests.UnknownError as e:
        raise errors.CliError(refusal.code, f"{refusal.reason}; {e}") from e
    if holders:
        raise refusal
    client.erase(owner, region.id)


def _burn_first(grant: grants.Grant, owner: str, number: int, pool: list[str]) -> str:
    cards = list(dict.fromkeys(pool))
    for card in cards:
        try:
            region_id = client.burn(grant.image_id, owner, number, card)
        except errors.CliError as e:
            if e.code not in errors.OF_CARD or card == cards[-1]:
                raise
        else:
            pool.remove(card)
            return region_id
    return client.burn(grant.image_id, owner, number)
