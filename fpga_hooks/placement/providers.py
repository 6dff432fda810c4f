# SPDX-License-Identifier: Apache-2.0
"""Which resource providers of Placement have which regions: the host's own, or one of each card."""

import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import host_status, traits
from fpga_nova.request import RESOURCE_CLASS

if typing.TYPE_CHECKING:
    from nova.compute import provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Regions that a provider is to have; None where they are not known.
Regions = tuple[host_status.Region, ...] | None


class Providers:
    """The providers of a service's nodes."""

    def __init__(self) -> None:
        #: Whether Placement has a node's regions by card; decided once while the service runs.
        self._by_card: dict[str, bool] = {}
        #: The card of each provider, by the provider's uuid.
        self._cards: dict[str, str] = {}

    def decide_anew(self) -> None:
        """The service starts: follow the option ``providers`` from now on."""
        self._by_card.clear()
        self._cards.clear()

    @property
    def by_card(self) -> bool:
        """Whether the cards of any node of this service have providers of their own."""
        return any(self._by_card.values())

    def card_of(self, provider: str) -> str | None:
        """The card of this host whose provider has this uuid."""
        return self._cards.get(provider)

    def places(
        self,
        tree: "provider_tree.ProviderTree",
        nodename: str,
        status: host_status.Status | None,
    ) -> dict[str, Regions]:
        """The providers that are to have regions, by name; those of cards are made if need be."""
        if not self._decide(tree, nodename, status):
            return {nodename: status.regions if status else None}
        places: dict[str, Regions] = {n: None for n in names(tree, nodename) if n != nodename}
        for region in status.regions if status else ():
            name = f"{nodename}{traits.OF_CARD}{region.device}"
            places[name] = (*(places.get(name) or ()), region)
        for name in places:
            if not tree.exists(name):
                tree.new_child(name, nodename)
            self._cards[tree.data(name).uuid] = str(traits.card_in(name, nodename))
        return places

    def _decide(
        self,
        tree: "provider_tree.ProviderTree",
        nodename: str,
        status: host_status.Status | None,
    ) -> bool:
        """Whether each card has its provider; as it is already, where nothing can be moved now."""
        if nodename not in self._by_card:
            option = CONF.fpga.providers == "card"
            now = _is_by_card(tree, nodename)
            if status is None and now is not None and now != option:
                LOG.warning(
                    "[fpga] providers = %s takes effect when nova-compute starts and the "
                    "regions are known",
                    CONF.fpga.providers,
                )
                option = now
            self._by_card[nodename] = option
        return self._by_card[nodename]


#: Those of this service.
ours = Providers()


def names(tree: "provider_tree.ProviderTree", nodename: str) -> list[str]:
    """The host's own provider and those of its cards, by name."""
    every = [tree.data(uuid).name for uuid in tree.get_provider_uuids(nodename)]
    return [n for n in every if n == nodename or n.startswith(f"{nodename}{traits.OF_CARD}")]


def _is_by_card(tree: "provider_tree.ProviderTree", nodename: str) -> bool | None:
    """Whether cards have the regions in Placement now; None where no provider has any."""
    holders = {n for n in names(tree, nodename) if RESOURCE_CLASS in tree.data(n).inventory}
    return bool(holders - {nodename}) if holders else None
