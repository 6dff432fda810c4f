# SPDX-License-Identifier: Apache-2.0
"""Which resource providers of Placement have which regions: the host's own, or one of each card."""

import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.program import client
from fpga_nova import traits
from fpga_nova.request import RESOURCE_CLASS

if typing.TYPE_CHECKING:
    from nova.compute import provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Regions that a provider is to have; None where they cannot be told.
Regions = tuple[client.Region, ...] | None

#: Whether a node's regions are told by card; decided once while the service runs.
_by_card: dict[str, bool] = {}

#: The card of each provider, by the provider's uuid.
_cards: dict[str, str] = {}


def decide_anew() -> None:
    """The service starts: follow the option ``providers`` from now on."""
    _by_card.clear()
    _cards.clear()


def by_card(nodename: str | None = None) -> bool:
    """Whether the cards of a node, or of any node of this service, have providers of their own."""
    return any(_by_card.values()) if nodename is None else _by_card.get(nodename, False)


def card_of(provider: str) -> str | None:
    """The card of this host whose provider has this uuid."""
    return _cards.get(provider)


def places(
    tree: "provider_tree.ProviderTree", nodename: str, status: client.Status | None
) -> dict[str, Regions]:
    """The providers that are to have regions, by name; those of cards are made if need be."""
    if not _decide(tree, nodename, status):
        return {nodename: status.regions if status else None}
    found: dict[str, Regions] = {name: None for name in known(tree, nodename) if name != nodename}
    for region in status.regions if status else ():
        name = f"{nodename}{traits.OF_CARD}{region.device}"
        found[name] = (*(found.get(name) or ()), region)
    for name in found:
        if not tree.exists(name):
            tree.new_child(name, nodename)
        _cards[tree.data(name).uuid] = str(traits.card_in(name, nodename))
    return found


def known(tree: "provider_tree.ProviderTree", nodename: str) -> list[str]:
    """The host's own provider and those of its cards, by name."""
    names = [tree.data(uuid).name for uuid in tree.get_provider_uuids(nodename)]
    return [n for n in names if n == nodename or n.startswith(f"{nodename}{traits.OF_CARD}")]


def _decide(
    tree: "provider_tree.ProviderTree", nodename: str, status: client.Status | None
) -> bool:
    """Whether each card has its provider; as it is already, where nothing can be moved now."""
    if nodename not in _by_card:
        wanted = CONF.fpga.providers == "card"
        names = known(tree, nodename)
        have = {name for name in names if RESOURCE_CLASS in tree.data(name).inventory}
        is_so = bool(have - {nodename}) if have else wanted
        if is_so != wanted and status is None:
            LOG.warning(
                "[fpga] providers = %s takes effect when nova-compute starts and the regions are "
                "known",
                CONF.fpga.providers,
            )
            wanted = is_so
        _by_card[nodename] = wanted
    return _by_card[nodename]
