# SPDX-License-Identifier: Apache-2.0
"""Which hosts a project's servers may come to, by the operator's aggregates."""

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


_NONE = Count(0, 0)


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a source found out of a flavor.

    :ivar accelerators: what a server gets, by class or alias
    :ivar limited: what of a server unified limits count, by class
    :ivar count: for a project that no aggregate names
    :ivar projects: for those that aggregates name
    :ivar zones: by project, None as for `count`, then by availability zone
    """

    accelerators: typing.Mapping[str, int]
    limited: typing.Mapping[str, int]
    count: Count
    projects: typing.Mapping[str, Count] = dataclasses.field(default_factory=dict)
    zones: typing.Mapping[str | None, typing.Mapping[str, Count]] = dataclasses.field(
        default_factory=dict
    )


@dataclasses.dataclass(frozen=True)
class Rules:
    """What nova-scheduler makes of aggregates.

    :ivar tenants: ``[availability] tenant_aggregates``
    :ivar zone: of hosts that are in none by their aggregates
    """

    tenants: frozenset[str] = frozenset()
    extra_specs: bool = True
    isolated: bool = False
    zone: str = "nova"

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> "Rules":
        """Those of ``[availability]``."""
        options = conf.availability
        return cls(
            frozenset(options.tenant_aggregates),
            options.aggregate_extra_specs,
            options.isolated_aggregates,
            options.default_zone,
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
        special = self.projects(hosts.values())
        zones: dict[str | None, dict[str, Count]] = {project: {} for project in (None, *special)}
        for key, count in by_host.items():
            zone = hosts[key].zone or self.zone
            for project, by_zone in zones.items():
                if self.admits(hosts[key], project, project is not None):
                    by_zone[zone] = _sum([by_zone.get(zone, _NONE), count])
        counts = {project: _sum(by_zone.values()) for project, by_zone in zones.items()}
        everybody = counts.pop(None)
        projects = {project: counts[project] for project in special}
        return Counted(accelerators, limited, everybody, projects, zones)


def _sum(counts: typing.Collection[Count]) -> Count:
    return Count(sum(one.free for one in counts), sum(one.total for one in counts))
