# SPDX-License-Identifier: Apache-2.0
"""Moves allocations of regions between providers, and between classes of one provider."""

import dataclasses
import typing

from nova import context as nova_context
from nova import exception, objects

from fpga_nova import host_status

#: By consumer, as Nova's report client has them: {"allocations": {PROVIDER: {"resources": {...}}}}.
Allocations = dict[str, dict[str, typing.Any]]

#: The uuid of a provider, and the class of regions that it has an inventory of.
Source = tuple[str, str]


@dataclasses.dataclass
class Room:
    """A provider that allocations may come to.

    :ivar card: None for the host's own
    :ivar free: regions that no allocation has yet
    :ivar resource_class: of its regions
    """

    card: str | None
    free: int
    resource_class: str


@dataclasses.dataclass(frozen=True)
class Mover:
    """Moves allocations to where the ledger has the regions.

    :ivar allocations: of all providers of the node; is changed
    """

    status: host_status.Status
    allocations: Allocations

    def allocated(self, source: Source) -> int:
        """How many regions of an inventory are allocated."""
        provider, name = source
        return sum(
            entry["allocations"].get(provider, {"resources": {}})["resources"].get(name, 0)
            for entry in self.allocations.values()
        )

    def move(self, sources: typing.Collection[Source], rooms: typing.Mapping[str, Room]) -> None:
        """Take what is allocated of some inventories and put it where the regions are.

        :param sources: the inventories, which go
        :param rooms: those that have it now, by uuid; what is moved is taken from what is free
        :raises nova.exception.ReshapeFailed: there are not as many regions as were allocated
        """
        shares = []
        for consumer, entry in self.allocations.items():
            amount = sum(_take(entry["allocations"], source) for source in sources)
            if amount:
                shares.append((consumer, amount, self._cards_of(consumer)))
        # Owners of regions before their migrations, and both before those that just need room.
        for consumer, amount, cards in sorted(shares, key=self._rank):
            for _ in range(amount):
                self._put(consumer, cards, rooms)

    def _rank(self, share: tuple[str, int, list[str | None]]) -> int:
        consumer, _, cards = share
        return 0 if self.status.owned_by(consumer) else 1 if cards else 2

    def _put(
        self, consumer: str, cards: list[str | None], rooms: typing.Mapping[str, Room]
    ) -> None:
        provider = _choose(rooms, cards)
        if provider is None:
            raise exception.ReshapeFailed(error=f"there is no FPGA region for {consumer}")
        rooms[provider].free -= 1
        of_consumer = self.allocations[consumer]["allocations"]
        resources = of_consumer.setdefault(provider, {"resources": {}})["resources"]
        name = rooms[provider].resource_class
        resources[name] = resources.get(name, 0) + 1

    def _cards_of(self, consumer: str) -> list[str | None]:
        """The cards of the regions of an instance, or of the one that a migration moves."""
        regions = self.status.owned_by(consumer)
        if not regions:
            context = nova_context.get_admin_context()
            try:
                migration = objects.Migration.get_by_uuid(context, consumer)
            except exception.MigrationNotFound:
                return []
            regions = self.status.owned_by(migration.instance_uuid)
        return [region.device for region in regions.values()]


def _take(of_consumer: dict[str, typing.Any], source: Source) -> int:
    provider, name = source
    resources = of_consumer.get(provider, {"resources": {}})["resources"]
    amount: int = resources.pop(name, 0)
    if provider in of_consumer and not resources:
        del of_consumer[provider]
    return amount


def _choose(rooms: typing.Mapping[str, Room], cards: list[str | None]) -> str | None:
    """The provider of the next of these cards, or any that has room."""
    with_room = {uuid: room for uuid, room in rooms.items() if room.free > 0}
    for uuid, room in with_room.items():
        if room.card in cards:
            cards.remove(room.card)
            return uuid
    return next(iter(with_room), None)
