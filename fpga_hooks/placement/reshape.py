# SPDX-License-Identifier: Apache-2.0
"""Moves allocations of regions between the provider of a host and those of its cards."""

import dataclasses
import typing

from nova import context as nova_context
from nova import exception, objects

from fpga_nova import host_status
from fpga_nova.request import RESOURCE_CLASS

#: By consumer, as Nova's report client has them: {"allocations": {PROVIDER: {"resources": {...}}}}.
Allocations = dict[str, dict[str, typing.Any]]


@dataclasses.dataclass
class Room:
    """A provider that allocations may come to.

    :ivar card: None for the host's own
    :ivar free: regions that no allocation has yet
    """

    card: str | None
    free: int


@dataclasses.dataclass(frozen=True)
class Mover:
    """Moves allocations to where the ledger has the regions.

    :ivar allocations: of all providers of the node; is changed
    """

    status: host_status.Status
    allocations: Allocations

    def move(self, sources: typing.Collection[str], rooms: typing.Mapping[str, Room]) -> None:
        """Take what is allocated of regions from some providers and put it where the regions are.

        :param sources: uuids of the providers that lose their inventory
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
        resources[RESOURCE_CLASS] = resources.get(RESOURCE_CLASS, 0) + 1

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


def _take(of_consumer: dict[str, typing.Any], source: str) -> int:
    resources = of_consumer.get(source, {"resources": {}})["resources"]
    amount: int = resources.pop(RESOURCE_CLASS, 0)
    if source in of_consumer and not resources:
        del of_consumer[source]
    return amount


def _choose(rooms: typing.Mapping[str, Room], cards: list[str | None]) -> str | None:
    """The provider of the next of these cards, or any that has room."""
    with_room = {uuid: room for uuid, room in rooms.items() if room.free > 0}
    for uuid, room in with_room.items():
        if room.card in cards:
            cards.remove(room.card)
            return uuid
    return next(iter(with_room), None)
