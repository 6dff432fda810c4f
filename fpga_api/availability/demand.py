# SPDX-License-Identifier: Apache-2.0
"""What one server needs of Placement, in groups of resources, and what cannot be counted."""

import collections
import dataclasses
import itertools
import typing

#: Classes that the provider of a host itself has: they make no flavor an accelerator flavor.
HOST_CLASSES = frozenset({"VCPU", "PCPU", "MEMORY_MB", "DISK_GB"})

#: Amounts by class, in the order of the classes' names.
Resources = tuple[tuple[str, int], ...]

#: Kinds of groups that may be in one demand: each subset of them is looked at.
_MOST_KINDS = 10


class UncountableError(Exception):
    """A flavor cannot be counted; the message is for operators."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def resources(amounts: typing.Mapping[str, int]) -> Resources:
    """Amounts in their order, without those that are 0."""
    return tuple(sorted((name, amount) for name, amount in amounts.items() if amount))


@dataclasses.dataclass(frozen=True)
class Group:
    """Resources that one provider gives together, or the unnumbered group of a demand.

    :ivar required: traits that the provider has
    :ivar forbidden: traits that it does not have
    """

    resources: Resources = ()
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Demand:
    """What one server needs.

    :ivar base: the unnumbered group: each class may be of another provider of the tree
    :ivar groups: the numbered groups
    :ivar isolate: whether each numbered group has to be of another provider
    :ivar limited: what unified limits count of it
    """

    base: Group
    groups: tuple[Group, ...] = ()
    isolate: bool = False
    limited: Resources = ()

    @property
    def host(self) -> Resources:
        """What the provider of the host gives."""
        return tuple(one for one in self.base.resources if one[0] in HOST_CLASSES)

    @property
    def loose(self) -> Resources:
        """The rest of the unnumbered group."""
        return tuple(one for one in self.base.resources if one[0] not in HOST_CLASSES)

    @property
    def accelerators(self) -> dict[str, int]:
        """What a server gets beside the host's own classes, by class."""
        total: collections.Counter[str] = collections.Counter()
        for name, amount in itertools.chain(self.loose, *(one.resources for one in self.groups)):
            if name not in HOST_CLASSES:
                total[name] += amount
        return dict(sorted(total.items()))

    def check(self) -> None:
        """Refuse what `counting` has no exact answer for.

        :raises UncountableError: the flavor mixes what would be a packing problem
        """
        vectors = {one.resources for one in self.groups} | {(one,) for one in self.loose}
        names = [name for vector in vectors for name, _ in vector]
        if len(names) != len(set(names)):
            raise UncountableError(
                "fpga.flavor_mixed_amounts",
                "the groups of the flavor ask for different amounts of the same class",
            )
        if HOST_CLASSES & set(names):
            raise UncountableError(
                "fpga.flavor_host_classes",
                "a numbered group of the flavor asks for a class of the host itself",
            )
        loose = {(one,) for one in self.loose}
        if self.isolate and loose & {one.resources for one in self.groups}:
            raise UncountableError(
                "fpga.flavor_isolate",
                "with group_policy=isolate, the flavor asks for a class within and without groups",
            )
        if len(set(self.groups)) + len(self.loose) > _MOST_KINDS:
            raise UncountableError(
                "fpga.flavor_groups",
                f"the flavor has more than {_MOST_KINDS} kinds of groups",
            )
