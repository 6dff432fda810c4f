# SPDX-License-Identifier: Apache-2.0
"""Which hosts have FPGA cards: resource providers of Placement, and the names that Nova has."""

import collections
import dataclasses
import time
import typing

from fpga_api.peers import Peers
from fpga_nova import contract, functions, traits

#: The newest of what is asked: roots (1.14), traits (1.18).
_PLACEMENT = "1.18"
#: Hypervisors are uuids (2.53), and have no `cpu_info` (2.88).
_NOVA = "2.88"
#: Seconds that Nova's names of hosts hold; a provider without one has Nova asked at once.
_NAMES_HOLD = 300.0


@dataclasses.dataclass(frozen=True)
class Provider:
    """A resource provider that has regions.

    :ivar card: the card that it stands for; None where it stands for all of its host
    :ivar node: the name of the host's provider
    :ivar host: the name of the host's nova-compute; None where Nova has none
    """

    id: str
    name: str
    card: str | None
    node: str
    host: str | None


@dataclasses.dataclass(frozen=True)
class Consumer:
    """Who has regions.

    :ivar claim: whether it is a claim, and not a server
    """

    project: str
    claim: bool


class Inventory:
    """Looks into Placement and Nova."""

    def __init__(self, peers: Peers, monotonic: typing.Callable[[], float] = time.monotonic):
        self._peers = peers
        self._monotonic = monotonic
        self._hosts: dict[str, str] = {}
        self._asked_at: float | None = None

    def providers(self, names: typing.Container[str]) -> list[Provider]:
        """All providers of regions, by name.

        :param names: the traits that `traits` gave: Placement refuses to look for another one
        :raises errors.CloudUnavailable: Placement or Nova does not answer
        """
        if traits.FPGA not in names:
            return []
        found = self._placement(f"/resource_providers?required={traits.FPGA}")
        trees: dict[str, list[dict[str, typing.Any]]] = collections.defaultdict(list)
        for one in found["resource_providers"]:
            trees[one["root_provider_uuid"]].append(one)
        self._learn_hosts(trees)
        providers = [one for root, tree in trees.items() for one in self._of_tree(root, tree)]
        return sorted(providers, key=lambda one: (one.name, one.id))

    def traits(self) -> list[str]:
        """The traits of cards that a provider has, and those of what cards can do.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        names: set[str] = set()
        for prefix in (traits.FPGA, functions.TRAIT):
            found = self._placement(f"/traits?name=startswith:{prefix}&associated=true")
            names.update(found["traits"])
        return sorted(names)

    def consumer(self, consumer: str) -> Consumer | None:
        """A server, or a claim; None where Placement has no such consumer.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        path, version = f"/allocations/{consumer}", contract.CLAIM_MICROVERSION
        found = self._peers.get("placement", path, version)
        if not found["allocations"]:
            return None
        return Consumer(found["project_id"], found["consumer_type"] == contract.CLAIM_CONSUMER)

    def _of_tree(self, root: str, tree: list[dict[str, typing.Any]]) -> typing.Iterator[Provider]:
        """The cards of a host; where Placement has none of its own for them, the host itself."""
        host = self._hosts.get(root)
        roots = [one["name"] for one in tree if one["uuid"] == root]
        # Of a host with providers of cards, Placement has the trait on the host, too.
        node = roots[0] if roots else tree[0]["name"].partition(traits.OF_CARD)[0]
        cards = [(one, traits.card_in(one["name"], node)) for one in tree]
        if any(card is not None for _, card in cards):
            cards = [(one, card) for one, card in cards if card is not None]
        for one, card in cards:
            yield Provider(one["uuid"], one["name"], card, node, host)

    def _learn_hosts(self, roots: typing.Collection[str]) -> None:
        now = self._monotonic()
        fresh = self._asked_at is not None and now - self._asked_at < _NAMES_HOLD
        if fresh and self._hosts.keys() >= set(roots):
            return
        hypervisors = self._peers.pages("/os-hypervisors/detail", "hypervisors", _NOVA)
        self._hosts = {one["id"]: one["service"]["host"] for one in hypervisors}
        self._asked_at = now

    def _placement(self, path: str) -> dict[str, typing.Any]:
        document: dict[str, typing.Any] = self._peers.get("placement", path, _PLACEMENT)
        return document
