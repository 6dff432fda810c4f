# SPDX-License-Identifier: Apache-2.0
"""Counts what Placement has: FPGA regions, PCI devices, virtual GPUs, Cyborg's devices, any class.

Placement is asked once for each accelerator class, without a limit, because a limit hides hosts.
All flavors are counted from these answers (`fpga_api.availability.counting`).
"""

import functools
import typing

from oslo_config import cfg

from fpga_api.availability import counting, specs
from fpga_api.availability.acceptance import Acceptance
from fpga_api.availability.cloud import Cloud
from fpga_api.availability.demand import Demand, UncountableError
from fpga_api.availability.flavors import Flavor
from fpga_api.availability.hosts import Host, Hosts
from fpga_api.availability.sources.base import Counts, Source
from fpga_api.availability.tenancy import Count, Counted, Rules
from fpga_api.availability.terms import Dictionary
from fpga_api.availability.trees import Snapshot, Trees
from fpga_nova import request


class PlacementSource(Source):
    """The source ``placement``."""

    def __init__(self, cloud: Cloud, conf: cfg.ConfigOpts) -> None:
        super().__init__(cloud, conf)
        self._dictionary = Dictionary(cloud, conf)
        self._hosts = Hosts(cloud)
        self._trees = Trees(cloud)
        self._acceptance = Acceptance(cloud)
        self._rules = Rules.of(conf)

    def count(self, flavors: typing.Sequence[Flavor]) -> Counts:
        """Count all flavors with accelerators.

        :raises fpga_api.errors.CloudUnavailable: Nova or Placement does not answer
        """
        counts: Counts = {}
        demands: dict[str, Demand] = {}
        terms = self._dictionary.terms()
        for flavor in flavors:
            try:
                demand = specs.demand(flavor, terms)
                if demand.accelerators:
                    demands[flavor.id] = demand
                elif request.region_count(flavor.extra_specs):
                    raise UncountableError(
                        "fpga.regions_not_requested",
                        "Placement does not know the regions of this flavor's servers: "
                        "[fpga] request_placement of nova-scheduler is off",
                    )
            except UncountableError as e:
                if _wants_accelerators(flavor):
                    counts[flavor.id] = e
        if demands:
            counts |= self._count(flavors, demands)
        return counts

    def _count(
        self, flavors: typing.Sequence[Flavor], demands: typing.Mapping[str, Demand]
    ) -> Counts:
        snapshot = self._trees.read(self._classes(demands.values()))
        self.complete = snapshot.complete
        hosts = self._hosts.usable(
            {root: snapshot.names[root] for root in (*snapshot.open, *snapshot.full)}
        )
        self._acceptance.learn(snapshot.open.values(), demands.values())
        counts: Counts = {}
        for flavor in flavors:
            if flavor.id in demands:
                try:
                    counts[flavor.id] = self._of(flavor, demands[flavor.id], snapshot, hosts)
                except UncountableError as e:
                    counts[flavor.id] = e
        return counts

    def _classes(self, demands: typing.Iterable[Demand]) -> dict[str, int]:
        """The classes to ask for, with the smallest amount of each.

        Placement refuses the whole question if it does not know the class.
        """
        known = self.cloud.classes()
        smallest: dict[str, int] = {}
        for demand in demands:
            vectors = [(one,) for one in demand.loose] + [one.resources for one in demand.groups]
            for name, amount in (pair for vector in vectors for pair in vector):
                if name in known:
                    smallest[name] = min(amount, smallest.get(name, amount))
        return smallest

    def _of(
        self,
        flavor: Flavor,
        demand: Demand,
        snapshot: Snapshot,
        hosts: typing.Mapping[str, Host],
    ) -> Counted:
        traits = demand.base.required.union(*(one.required for one in demand.groups))
        fit = functools.partial(counting.largest, demand=demand, accepts=self._acceptance)
        by_host: dict[str, Count] = {}
        for trees, free in ((snapshot.open, True), (snapshot.full, False)):
            for root, tree in trees.items():
                if root in hosts and self._rules.allows(hosts[root], flavor, traits):
                    total = fit(tree, whole=True)
                    by_host[root] = Count(fit(tree) if free and total else 0, total)
        return self._rules.tally(demand.accelerators, dict(demand.limited), by_host, hosts)


def _wants_accelerators(flavor: Flavor) -> bool:
    """Whether a flavor that cannot be counted belongs into the list all the same."""
    specs_of = flavor.extra_specs
    return any(
        key in (specs.ALIAS, specs.DEVICE_PROFILE)
        or key.lower().startswith(request.EXTRA_SPEC)
        or (
            key.startswith("resources")
            and key.partition(":")[2] not in ("", "VCPU", "PCPU", "MEMORY_MB", "DISK_GB")
        )
        for key in specs_of
    )
