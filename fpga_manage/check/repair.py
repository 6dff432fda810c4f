# SPDX-License-Identifier: Apache-2.0
"""Allocates regions in Placement for instances that hold them and have no allocation of them.

Nova's ``heal_allocations`` knows no request filters and no providers of cards: it drops what the
scheduler asked for, and fails where a flavor names regions that are of cards.

What others have is safe: Placement refuses an allocation that exceeds an inventory, and one whose
consumer has changed since it was read.
"""

import collections
import dataclasses
import typing

from fpga_manage.check import rules
from fpga_nova import host_status, region_classes, traits

#: The microversion of Placement that is asked: the first that guards a consumer by a generation.
MICROVERSION = "1.28"

#: Regions by provider.
Amounts = dict[str, int]


class Offer(typing.NamedTuple):
    """A provider of regions.

    :ivar name: of the provider
    :ivar resource_class: of its regions
    """

    name: str
    resource_class: str


class NotRepairedError(Exception):
    """An allocation stays as it is; the message says why and what to do."""


class Placement(typing.Protocol):
    """What is asked of Placement, each with MICROVERSION."""

    def get(self, path: str) -> dict[str, typing.Any]:
        """The body of an answer."""

    def put(self, path: str, body: dict[str, typing.Any]) -> str | None:
        """None where it is done, else why Placement refused."""


@dataclasses.dataclass(frozen=True)
class Repair:
    """Allocates what is missing on one host.

    :ivar look: an instance as the database has it now; None where it is deleted
    :ivar status: of the host; None where not at hand
    :ivar request_placement: whether the scheduler asks for regions that flavors do not name
    """

    placement: Placement
    look: typing.Callable[[str], rules.Instance | None]
    node: rules.Node
    status: host_status.Status | None
    request_placement: bool

    def allocate(self, uuid: str) -> None:
        """Add the missing regions to the allocation of an instance; nothing if none is missing.

        An instance without any allocation gets all that its flavor asks for.

        :raises NotRepairedError: the allocation stays as it is
        """
        before = self.placement.get(f"/allocations/{uuid}")
        instance = self._here(uuid)
        allocations = {
            provider: dict(allocation["resources"])
            for provider, allocation in before["allocations"].items()
        }
        if not allocations:
            allocations = {self.node.uuid: _of_flavor(instance)}
        offers = self._offers()
        additions = self._additions(instance, offers, allocations)
        if before["allocations"] and not additions:
            return
        for provider, amount in additions.items():
            resources = allocations.setdefault(provider, {})
            name = offers[provider].resource_class
            resources[name] = resources.get(name, 0) + amount
        self._put(uuid, before, instance, allocations)
        if not before["allocations"]:
            self._undo_if_deleted(uuid)

    def _here(self, uuid: str) -> rules.Instance:
        instance = self.look(uuid)
        if instance is None or not instance.settled or instance.host != self.node.host:
            raise NotRepairedError("the instance is changing; run the command again")
        return instance

    def _additions(
        self,
        instance: rules.Instance,
        offers: typing.Mapping[str, Offer],
        allocations: dict[str, Amounts],
    ) -> Amounts:
        """The regions to add, by provider."""
        has = {
            provider: region_classes.amount(allocations.get(provider, {})) for provider in offers
        }
        shortfall = instance.allocation(self.request_placement) - sum(has.values())
        if shortfall <= 0:
            return {}
        if len(offers) == 1:
            return dict.fromkeys(offers, shortfall)
        cards, nodename = self._cards_of(instance.uuid), self._name()
        amounts = collections.Counter[str]()
        for provider, offer in offers.items():
            room = shortfall - amounts.total()
            card = traits.card_in(offer.name, nodename)
            amounts[provider] = min(room, max(cards[card] - has[provider], 0))
        if amounts.total() < shortfall:
            raise NotRepairedError(
                f"its ledger has {cards.total()} regions of it; wait for the next audit of its host"
            )
        return {provider: amount for provider, amount in amounts.items() if amount}

    def _cards_of(self, owner: str) -> collections.Counter[str | None]:
        if self.status is None:
            host = self.node.host
            raise NotRepairedError(
                f"{host} has several cards, and its ledger says which: give --status {host}=FILE"
            )
        return collections.Counter(
            region.device for region in self.status.regions if region.owner == owner
        )

    def _name(self) -> str:
        """The name of the host's own provider, which may have no inventory of regions."""
        return str(self.placement.get(f"/resource_providers/{self.node.uuid}")["name"])

    def _offers(self) -> dict[str, Offer]:
        """The host's providers that offer regions, by uuid."""
        tree = self.placement.get(f"/resource_providers?in_tree={self.node.uuid}")
        offers = {}
        for one in tree["resource_providers"]:
            path = f"/resource_providers/{one['uuid']}/inventories"
            inventories = self.placement.get(path)["inventories"]
            classes = region_classes.among(inventories)
            if classes:
                # Of a class that the provider had before, all is reserved.
                best = max(
                    classes, key=lambda c: inventories[c]["total"] - inventories[c]["reserved"]
                )
                offers[one["uuid"]] = Offer(one["name"], best)
        return offers

    def _put(
        self,
        uuid: str,
        before: dict[str, typing.Any],
        instance: rules.Instance,
        allocations: dict[str, Amounts],
    ) -> None:
        refusal = self.placement.put(
            f"/allocations/{uuid}",
            {
                "allocations": {p: {"resources": r} for p, r in allocations.items() if r},
                "project_id": before.get("project_id", instance.project),
                "user_id": before.get("user_id", instance.user),
                "consumer_generation": before.get("consumer_generation"),
            },
        )
        if refusal is not None:
            raise NotRepairedError(f"Placement refused: {refusal}")

    def _undo_if_deleted(self, uuid: str) -> None:
        """Nova may have deleted it right before; Placement guards no consumer that is new to it."""
        instance = self.look(uuid)
        if instance is not None and instance.task_state != "deleting":
            return
        now = self.placement.get(f"/allocations/{uuid}")
        if now["allocations"]:
            self.placement.put(f"/allocations/{uuid}", {**now, "allocations": {}})
        raise NotRepairedError("the instance was deleted meanwhile")


def _of_flavor(instance: rules.Instance) -> Amounts:
    """What a flavor asks for without its regions, by Nova's own rules.

    :raises NotRepairedError: Nova is not installed here, or the flavor asks for other devices
    """
    try:
        from nova import objects
        from nova.scheduler import utils
    except ImportError as e:
        raise NotRepairedError("it has no allocation at all: run this beside Nova") from e
    if instance.flavor is None or any(key.startswith("accel:") for key in instance.extra_specs):
        raise NotRepairedError("what its flavor asks for is not known here; allocate it by hand")
    objects.register_all()
    flavor = objects.Flavor.obj_from_primitive(instance.flavor)
    spec = objects.RequestSpec(flavor=flavor, is_bfv=instance.from_volume)
    merged = dict(utils.ResourceRequest.from_request_spec(spec).merged_resources())
    return {name: n for name, n in merged.items() if not region_classes.is_one(name)}
