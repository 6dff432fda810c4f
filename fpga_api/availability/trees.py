# SPDX-License-Identifier: Apache-2.0
"""The provider trees of hosts: those with something free as Placement lists them, and full ones.

Placement's candidates leave out what is full, but the totals need it. A tree is remembered from
when it had something free, and is read anew when a generation of it has changed. What was full from
the beginning is found by reading all trees once, in small parts, so that no refresh takes long.
"""

import collections
import dataclasses
import time
import typing

from fpga_api import peers
from fpga_api.availability import cloud
from fpga_api.availability.counting import Provider, Tree
from fpga_api.availability.demand import HOST_CLASSES

#: Seconds of one refresh for reading trees that are not in any list of candidates.
_BUDGET = 1.0

Generations = dict[str, int]

_NONE: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The trees of a cloud.

    :ivar open: those with something free, by the uuid of the root
    :ivar full: the others that have accelerators
    :ivar names: of all roots
    :ivar complete: whether all full ones are there
    """

    open: dict[str, Tree]
    full: dict[str, Tree]
    names: dict[str, str]
    complete: bool


@dataclasses.dataclass(frozen=True)
class _Memory:
    tree: Tree
    generations: Generations

    @property
    def plain(self) -> bool:
        """Whether it has nothing but what each host has."""
        return not any(one.capacity.keys() - HOST_CLASSES for one in self.tree.providers.values())


class Trees:
    """The trees of a cloud, remembered from one refresh to the next."""

    def __init__(
        self, services: cloud.Cloud, clock: typing.Callable[[], float] = time.monotonic
    ) -> None:
        self._cloud = services
        self._clock = clock
        self._memory: dict[str, _Memory] = {}

    def read(self, classes: typing.Mapping[str, int]) -> Snapshot:
        """Read them.

        :param classes: the smallest amount that any flavor asks for, by class
        :raises errors.CloudUnavailable: Placement does not answer
        """
        # Generations first: a tree that changes meanwhile has an old one then, and is read again.
        names, generations = self._list()
        summaries: dict[str, typing.Any] = {}
        for name, amount in sorted(classes.items()):
            summaries |= self._cloud.summaries(name, amount)
        found = {root: tree for root, tree in _trees(summaries).items() if root in names}
        for root, tree in found.items():
            self._memory[root] = _Memory(tree, generations[root])
        for root in self._memory.keys() - generations.keys():
            del self._memory[root]
        closed = {root: names for root, names in generations.items() if root not in found}
        complete = self._renew(closed)
        full = {
            root: self._memory[root].tree
            for root in closed
            if root in self._memory and not self._memory[root].plain
        }
        return Snapshot(found, full, names, complete)

    def _list(self) -> tuple[dict[str, str], dict[str, Generations]]:
        """Names of the roots, and by root the generations of its providers."""
        names: dict[str, str] = {}
        generations: dict[str, Generations] = collections.defaultdict(dict)
        for one in self._cloud.providers():
            root = one["root_provider_uuid"]
            generations[root][one["uuid"]] = one["generation"]
            if one["uuid"] == root:
                names[root] = one["name"]
        return names, dict(generations)

    def _renew(self, closed: typing.Mapping[str, Generations]) -> bool:
        """Read what is not known of trees without anything free; whether all is known then."""
        end = self._clock() + _BUDGET
        # Trees of several providers are those that have cards.
        for root in sorted(closed, key=lambda root: (-len(closed[root]), root)):
            memory = self._memory.get(root)
            if memory and (memory.plain or memory.generations == closed[root]):
                continue
            if self._clock() >= end:
                return False
            tree = self._read(root, closed[root], memory)
            if tree is not None:
                self._memory[root] = _Memory(tree, closed[root])
        return True

    def _read(self, root: str, generations: Generations, memory: _Memory | None) -> Tree | None:
        """Read the providers of a tree that are not known as they are; None if one is gone."""
        known = {
            uuid: memory.tree.providers[uuid]
            for uuid, generation in generations.items()
            if memory and memory.generations.get(uuid) == generation
        }
        try:
            inventories = {
                uuid: self._cloud.inventories(uuid)["inventories"]
                for uuid in generations
                if uuid not in known
            }
            # Most hosts are plain, and nobody asks for their traits here.
            plain = not known and not any(one.keys() - HOST_CLASSES for one in inventories.values())
            traits = {uuid: _NONE if plain else self._cloud.traits_of(uuid) for uuid in inventories}
        except peers.MissingError:
            return None
        for uuid, of_provider in inventories.items():
            capacity = {name: _capacity(one) for name, one in of_provider.items()}
            known[uuid] = Provider(uuid, capacity, capacity, traits[uuid])
        return Tree(root, known)


def _capacity(inventory: typing.Mapping[str, typing.Any]) -> int:
    return int((inventory["total"] - inventory["reserved"]) * inventory["allocation_ratio"])


def _trees(summaries: typing.Mapping[str, typing.Any]) -> dict[str, Tree]:
    providers: dict[str, dict[str, Provider]] = collections.defaultdict(dict)
    for uuid, one in summaries.items():
        resources = one["resources"]
        providers[one["root_provider_uuid"]][uuid] = Provider(
            uuid,
            {name: amounts["capacity"] for name, amounts in resources.items()},
            {name: amounts["used"] for name, amounts in resources.items()},
            frozenset(one["traits"]),
        )
    return {root: Tree(root, found) for root, found in providers.items() if root in found}
