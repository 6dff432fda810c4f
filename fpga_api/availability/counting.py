# SPDX-License-Identifier: Apache-2.0
"""How many servers of one demand fit on one host, from what Placement knows of its providers.

Groups and providers are the two sides of a flow: a provider gives as many groups as it has room
for, and the groups of n servers fit if and only if no set of groups asks for more than the
providers that can serve it have (max-flow min-cut). Flavors have few kinds of groups, so that all
sets are looked at. With ``group_policy=isolate`` a provider serves each server once at most; a flow
of n servers under this bound can be dealt out to the servers (Kőnig's edge colouring).
"""

import bisect
import collections
import dataclasses
import itertools
import typing

from fpga_api.availability.demand import Demand, Group, Resources, UncountableError


@dataclasses.dataclass(frozen=True)
class Provider:
    """A resource provider.

    :ivar capacity: what it has by class: (total - reserved) * allocation ratio
    :ivar used: what of it is allocated
    """

    uuid: str
    capacity: typing.Mapping[str, int]
    used: typing.Mapping[str, int] = dataclasses.field(default_factory=dict)
    traits: frozenset[str] = frozenset()

    def free(self, name: str, whole: bool) -> int:
        """What can be allocated of a class; if `whole`, when nothing were."""
        used = 0 if whole else self.used.get(name, 0)
        return max(0, self.capacity.get(name, 0) - used)

    def room(self, wanted: Resources, whole: bool = False) -> int:
        """How often it can give some resources."""
        return min((self.free(name, whole) // amount for name, amount in wanted), default=0)


@dataclasses.dataclass(frozen=True)
class Tree:
    """The providers of a host.

    :ivar root: uuid of the host's own
    """

    root: str
    providers: typing.Mapping[str, Provider]


#: Whether a provider accepts an amount at all, by its min_unit, max_unit and step_size.
Accepts = typing.Callable[[Provider, Resources], bool]


def _anything(_provider: Provider, _wanted: Resources) -> bool:
    return True


@dataclasses.dataclass(frozen=True)
class _Kind:
    """Groups of a demand that are equal.

    :ivar count: how many of them a server has
    :ivar numbered: whether isolation holds for them
    """

    group: Group
    count: int
    numbered: bool


def largest(tree: Tree, demand: Demand, whole: bool = False, accepts: Accepts = _anything) -> int:
    """The largest number of servers that fit together.

    :param whole: count as if nothing were allocated
    :raises UncountableError: a trait of the unnumbered group may be of one provider or another
    """
    root = tree.root
    host = tree.providers[root]
    missing = demand.base.required
    most: int | None = None
    if demand.host:
        if demand.base.forbidden & host.traits or not accepts(host, demand.host):
            return 0
        most = host.room(demand.host, whole)
        missing -= host.traits
    kinds = _kinds(tree, demand, missing)
    if kinds is None or most == 0:
        return 0
    rooms = [_rooms(tree, kind, whole, accepts) for kind in kinds]
    bounds = [sum(room.values()) // kind.count for kind, room in zip(kinds, rooms, strict=True)]
    high = min(bounds if most is None else [most, *bounds], default=0)
    if _fits(high, kinds, rooms, demand.isolate):
        return high
    # What fits, fits for fewer servers, too: the first number that does not is one above.
    candidates = range(1, high + 1)
    return bisect.bisect_left(
        candidates, True, key=lambda n: not _fits(n, kinds, rooms, demand.isolate)
    )


def _kinds(tree: Tree, demand: Demand, missing: frozenset[str]) -> list[_Kind] | None:
    """The kinds of groups; None if no provider of the tree has a trait that is missing."""
    if missing:
        if not demand.loose or not missing <= set().union(
            *(provider.traits for provider in tree.providers.values())
        ):
            return None
        if len(demand.loose) > 1:
            raise UncountableError(
                "fpga.flavor_loose_traits",
                "the flavor asks for traits and for several accelerator classes without a group",
            )
    loose = [_Kind(Group((one,), missing, demand.base.forbidden), 1, False) for one in demand.loose]
    counts = collections.Counter(demand.groups)
    return [*loose, *(_Kind(group, count, True) for group, count in counts.items())]


def _rooms(tree: Tree, kind: _Kind, whole: bool, accepts: Accepts) -> dict[str, int]:
    """How often each provider can give a kind of group; without those that cannot."""
    group, rooms = kind.group, {}
    for uuid, provider in tree.providers.items():
        room = provider.room(group.resources, whole)
        if (
            room
            and group.required <= provider.traits
            and not group.forbidden & provider.traits
            and accepts(provider, group.resources)
        ):
            rooms[uuid] = room
    return rooms


def _fits(n: int, kinds: list[_Kind], rooms: list[dict[str, int]], isolate: bool) -> bool:
    """Whether the groups of n servers fit: Hall's condition for all sets of kinds."""
    numbers = range(len(kinds))
    for size in range(1, len(kinds) + 1):
        for chosen in itertools.combinations(numbers, size):
            wanted = n * sum(kinds[number].count for number in chosen)
            if wanted > _supply(n, chosen, kinds, rooms, isolate):
                return False
    return True


def _supply(
    n: int,
    chosen: tuple[int, ...],
    kinds: list[_Kind],
    rooms: list[dict[str, int]],
    isolate: bool,
) -> int:
    """The most groups of the chosen kinds that the providers can give to n servers."""
    numbered: dict[str, dict[Resources, int]] = collections.defaultdict(dict)
    loose: dict[tuple[str, Resources], int] = {}
    for number in chosen:
        wanted = kinds[number].group.resources
        for uuid, room in rooms[number].items():
            if isolate and not kinds[number].numbered:
                loose[uuid, wanted] = room
            else:
                numbered[uuid][wanted] = room
    of_provider = (sum(by_resources.values()) for by_resources in numbered.values())
    bound = (min(n, total) if isolate else total for total in of_provider)
    return sum(bound) + sum(loose.values())
