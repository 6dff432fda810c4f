# SPDX-License-Identifier: Apache-2.0
"""Which hosts a project's servers may come to, by the operator's aggregates."""

import collections
import dataclasses
import typing

from oslo_config import cfg

from fpga_api.availability.flavors import Flavor
from fpga_api.availability.hosts import Host

_SCOPE = "aggregate_instance_extra_specs:"


class Count(typing.NamedTuple):
    """Servers of a flavor.

    :ivar free: that find a host now
    :ivar total: that would find one if there were no others
    """

    free: int
    total: int


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a source found out of a flavor.

    :ivar accelerators: what a server gets, by class or alias
    :ivar limited: what of a server unified limits count, by class
    :ivar count: for a project that no aggregate names
    :ivar projects: for those that aggregates name
    """

    accelerators: typing.Mapping[str, int]
    limited: typing.Mapping[str, int]
    count: Count
    projects: typing.Mapping[str, Count] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rules:
    """What nova-scheduler makes of aggregates.

    :ivar tenants: ``[availability] tenant_aggregates``
    """

    tenants: frozenset[str] = frozenset()
    extra_specs: bool = True
    isolated: bool = False

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> "Rules":
        """Those of ``[availability]``."""
        options = conf.availability
        return cls(
            frozenset(options.tenant_aggregates),
            options.aggregate_extra_specs,
            options.isolated_aggregates,
        )

    def allows(self, host: Host, flavor: Flavor, traits: frozenset[str]) -> bool:
        """Whether servers of a flavor may come to a host.

        :param traits: that the flavor requires, in whichever group
        """
        wanted = {
            key.removeprefix(_SCOPE): value
            for key, value in flavor.extra_specs.items()
            if key.startswith(_SCOPE)
        }
        if self.extra_specs and not host.has(wanted):
            return False
        return not self.isolated or host.isolating_traits <= traits

    def projects(self, hosts: typing.Iterable[Host]) -> frozenset[str]:
        """The projects for which other hosts count than for all others."""
        if not self.tenants:
            return frozenset()
        return frozenset().union(*(host.tenants for host in hosts))

    def admits(self, host: Host, project: str | None, of_project: bool) -> bool:
        """Whether servers of a project may come to a host.

        :param project: None for one that no aggregate names
        :param of_project: whether aggregates are for this project
        """
        mine = project in host.tenants
        if "filter" in self.tenants and host.tenants and not mine:
            return False
        if self.tenants & {"placement", "required"} and of_project:
            return mine
        return "required" not in self.tenants or of_project

    def tally(
        self,
        accelerators: typing.Mapping[str, int],
        limited: typing.Mapping[str, int],
        by_host: typing.Mapping[str, Count],
        hosts: typing.Mapping[str, Host],
    ) -> Counted:
        """Add the counts of single hosts up, for each project those that admit it.

        :param by_host: what single hosts have room for, by the keys of `hosts`
        """
        counts: dict[str | None, Count] = collections.defaultdict(lambda: Count(0, 0))
        special = self.projects(hosts.values())
        for key, count in by_host.items():
            for project in (None, *special):
                if self.admits(hosts[key], project, project is not None):
                    before = counts[project]
                    counts[project] = Count(before.free + count.free, before.total + count.total)
        return Counted(
            accelerators, limited, counts[None], {project: counts[project] for project in special}
        )
