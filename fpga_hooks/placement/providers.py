# SPDX-License-Identifier: Apache-2.0
"""Which resource providers of Placement have which regions: the host's own, or one of each card.

The regions of a provider have one class. A region is in one inventory, so nothing counts it twice.
"""

import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import host_status, region_classes, traits

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
        #: The class of each provider's regions, by the provider's name; decided once as well.
        self._classes: dict[str, str] = {}
        #: The nodes of which Placement has the regions as it was decided.
        self._settled: set[str] = set()

    def decide_anew(self) -> None:
        """The service starts: follow ``providers`` and ``region_classes`` from now on."""
        self._by_card.clear()
        self._cards.clear()
        self._classes.clear()
        self._settled.clear()

    def settled(self, nodename: str) -> bool:
        """Whether Placement has had the regions of a node as it was decided."""
        return nodename in self._settled

    def settle(self, nodename: str) -> None:
        """It has; from now on, no allocation of the node has to be moved."""
        self._settled.add(nodename)

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

    def class_of(self, tree: "provider_tree.ProviderTree", name: str, regions: Regions) -> str:
        """The class of a provider's regions, also of those that it gets while the service runs.

        Where the regions are not known now, it stays as Placement has it.
        """
        if name not in self._classes:
            before = region_classes.among(tree.data(name).inventory)
            if not regions and not before:
                return region_classes.REGION
            self._classes[name] = _chosen(name, regions) if regions else before[0]
        return self._classes[name]

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
    every = names(tree, nodename)
    holders = {n for n in every if region_classes.among(tree.data(n).inventory)}
    return bool(holders - {nodename}) if holders else None


def _chosen(name: str, regions: tuple[host_status.Region, ...]) -> str:
    """The class of the regions of a provider, as the operator has chosen it."""
    by_word = {word.lower(): chosen for word, chosen in CONF.fpga.region_classes.items()}
    classes = set()
    for region in regions:
        words = (str(word).lower() for word in (region.board, region.vendor))
        found = (by_word[word] for word in words if word in by_word)
        classes.add(next(found, region_classes.REGION))
    if len(classes) == 1:
        return classes.pop()
    LOG.warning(
        "[fpga] region_classes has %s for the cards of %s, which has one inventory, so it gets %s; "
        "with [fpga] providers = card, each card has an inventory of its own",
        ", ".join(sorted(classes)),
        name,
        region_classes.REGION,
    )
    return region_classes.REGION
