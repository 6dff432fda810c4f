# SPDX-License-Identifier: Apache-2.0
"""Burns on the cards that Placement chose, where each card has a provider of its own."""

import typing

from keystoneauth1 import exceptions as keystone_exceptions
from nova import exception
from nova.scheduler.client import report

from fpga_hooks.instance import guests
from fpga_hooks.placement import providers
from fpga_hooks.program import client, errors
from fpga_nova import grants
from fpga_nova.contract import Exit
from fpga_nova.request import RESOURCE_CLASS

if typing.TYPE_CHECKING:
    from nova import context as nova_context


def chosen(context: "nova_context.RequestContext", consumer: str) -> list[str]:
    """The cards of this host that an instance has allocated, one for each region.

    None where the cards have no providers, or the flavor did not ask Placement for regions.

    :raises nova.exception.ConsumerAllocationRetrievalFailed: Placement does not tell
    """
    if not providers.by_card():
        return []
    try:
        told = report.report_client_singleton().get_allocs_for_consumer(context, consumer)
    except keystone_exceptions.ClientException as e:
        raise exception.ConsumerAllocationRetrievalFailed(
            consumer_uuid=consumer, error=str(e)
        ) from e
    cards: list[str] = []
    for provider, allocation in told["allocations"].items():
        card = providers.card_of(provider)
        if card is not None:
            cards += [card] * allocation["resources"].get(RESOURCE_CLASS, 0)
    return cards


def burn(
    granted: typing.Mapping[int, grants.Grant], owner: str, cards: list[str]
) -> dict[int, str]:
    """Burn what was granted, one bitstream after the other, on these cards.

    What the owner holds already stays on its card. Which number is for which card Placement does
    not tell: one that does not take an image is left for the next.

    :param granted: by number of the region
    :param cards: as `chosen` told; with none, any card will do
    :returns: the regions' ids by number
    :raises errors.CliError: one could not be burnt
    """
    held = client.status().owned_by(owner) if cards else {}
    left = free_of(cards, held)
    return {
        number: burn_one(grant, owner, number, [] if number in held else left)
        for number, grant in granted.items()
    }


def free_of(cards: list[str], held: typing.Mapping[int, client.Region]) -> list[str]:
    """The cards without those that the owner's regions are on already."""
    left = list(cards)
    for region in held.values():
        if region.device in left:
            left.remove(region.device)
    return left


def burn_one(grant: grants.Grant, owner: str, number: int, left: list[str]) -> str:
    """Burn a granted bitstream on the first of these cards that takes it; take the card from them.

    Nothing else burns for an instance. What the instance holds by this number, and what cannot hold
    the bitstream, is erased first if no guest has it.

    :raises errors.CliError: none took it
    """
    try:
        return _burn_first(grant, owner, number, left)
    except errors.CliError as e:
        if e.code != Exit.HANDED_OUT:
            raise
        _take_back(owner, number, e)
    return _burn_first(grant, owner, number, left)


def _take_back(owner: str, number: int, refusal: errors.CliError) -> None:
    """Erase a region of an instance whose guest is gone.

    :raises errors.CliError: it is not gone, or that is not known
    """
    region = client.status().owned_by(owner).get(number)
    if region is None:
        return
    try:
        found = guests.with_nodes(region.paths, owner)
    except guests.UnknownError as e:
        raise errors.CliError(refusal.code, f"{refusal.reason}; {e}") from e
    if found:
        raise refusal
    client.erase(owner, region.id)


def _burn_first(grant: grants.Grant, owner: str, number: int, left: list[str]) -> str:
    different = list(dict.fromkeys(left))
    for card in different:
        try:
            region_id = client.burn(grant.image_id, owner, number, card)
        except errors.CliError as e:
            if e.code not in errors.OF_CARD or card == different[-1]:
                raise
        else:
            left.remove(card)
            return region_id
    return client.burn(grant.image_id, owner, number)
