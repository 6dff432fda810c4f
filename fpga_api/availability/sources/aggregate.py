# SPDX-License-Identifier: Apache-2.0
"""Counts GPUs by the metadata of host aggregates, as de.NBI's OpenstackGPUService does.

An aggregate says ``gpu=True``, ``gpu_count`` GPUs on each of its hosts, and ``gpu_type``, which is
the alias in ``pci_passthrough:alias`` of flavors. Only hosts of such aggregates are looked at, and
all servers on them: those of deleted flavors have their GPUs, too.
"""

import collections
import dataclasses
import math
import typing

from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import strutils

from fpga_api.availability import specs
from fpga_api.availability.cloud import Cloud
from fpga_api.availability.demand import UncountableError
from fpga_api.availability.flavors import Flavor
from fpga_api.availability.hosts import Host, is_usable, metadata_by_host
from fpga_api.availability.sources.base import Counts, Source
from fpga_api.availability.tenancy import Count, Rules
from fpga_api.peers import MissingError

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Machine:
    """A host with GPUs.

    :ivar gpus: how many it has by alias
    :ivar used: how many of them servers have
    :ivar size: vcpus, MiB of memory and GiB of disk
    :ivar remainder: what of that is not used
    """

    gpus: typing.Mapping[str, int]
    used: typing.Mapping[str, int]
    size: tuple[float, ...]
    remainder: tuple[float, ...]

    def count(self, flavor: Flavor, wanted: typing.Mapping[str, int]) -> Count:
        """The servers of a flavor that it has room for.

        :param wanted: GPUs of a server by alias
        """
        needs = (flavor.vcpus, flavor.ram, flavor.local_disk)
        gpus = [(self.gpus.get(name, 0), number) for name, number in wanted.items()]
        spare = [
            (self.gpus.get(name, 0) - self.used.get(name, 0), number)
            for name, number in wanted.items()
        ]
        total = _fit([*gpus, *zip(self.size, needs, strict=True)])
        return Count(min(total, _fit([*spare, *zip(self.remainder, needs, strict=True)])), total)


def _fit(pairs: typing.Iterable[tuple[float, float]]) -> int:
    """How often all needs are met; a need of nothing limits nothing."""
    return min(max(0, math.floor(have / need)) for have, need in pairs if need)


class AggregateSource(Source):
    """The source ``aggregate``."""

    def __init__(self, cloud: Cloud, conf: cfg.ConfigOpts) -> None:
        super().__init__(cloud, conf)
        self._rules = Rules.of(conf)
        self._nodes: dict[str, str] = {}

    def count(self, flavors: typing.Sequence[Flavor]) -> Counts:
        """Count the flavors of PCI aliases that an aggregate has.

        :raises fpga_api.errors.CloudUnavailable: Nova does not answer
        """
        aggregates = self.cloud.aggregates()
        gpus = gpus_by_host(aggregates)
        types = set().union(*gpus.values())
        counts: Counts = {}
        wanted: dict[str, dict[str, int]] = {}
        for flavor in flavors:
            try:
                aliases = specs.alias_counts(flavor.extra_specs.get(specs.ALIAS, ""))
            except UncountableError as e:
                if specs.ALIAS in flavor.extra_specs:
                    counts[flavor.id] = e
                continue
            if types & aliases.keys():
                wanted[flavor.id] = aliases
        if not wanted:
            return counts
        machines, hosts = self._machines(gpus, metadata_by_host(aggregates))
        for flavor in flavors:
            if flavor.id in wanted:
                by_host = {
                    name: machine.count(flavor, wanted[flavor.id])
                    for name, machine in machines.items()
                    if self._rules.allows(hosts[name], flavor, frozenset())
                }
                counts[flavor.id] = self._rules.tally(
                    wanted[flavor.id], _limited(flavor), by_host, hosts
                )
        return counts

    def _machines(
        self,
        gpus: typing.Mapping[str, typing.Mapping[str, int]],
        metadata: typing.Mapping[str, typing.Any],
    ) -> tuple[dict[str, Machine], dict[str, Host]]:
        """The hosts that take servers, by name."""
        machines, hosts = {}, {}
        for service in self.cloud.services():
            name = service["host"]
            node = self._node(name) if name in gpus and is_usable(service) else None
            if node is not None:
                hosts[name] = Host(name, metadata.get(name, {}))
                machines[name] = self._machine(node, gpus[name], self.cloud.servers_on(name))
        return machines, hosts

    def _node(self, host: str) -> dict[str, typing.Any] | None:
        if host in self._nodes:
            try:
                return self.cloud.hypervisor(self._nodes[host])
            except MissingError:
                del self._nodes[host]
        found = self.cloud.hypervisors_of(host)
        if len(found) != 1:
            LOG.warning("Host %s has %d compute nodes; it is not counted", host, len(found))
            return None
        self._nodes[host] = found[0]["id"]
        return found[0]

    def _machine(
        self,
        node: typing.Mapping[str, typing.Any],
        gpus: typing.Mapping[str, int],
        servers: typing.Iterable[typing.Mapping[str, typing.Any]],
    ) -> Machine:
        used: collections.Counter[str] = collections.Counter()
        for server in servers:
            extra_specs = server["flavor"].get("extra_specs") or {}
            try:
                used.update(specs.alias_counts(extra_specs[specs.ALIAS]))
            except (KeyError, UncountableError):
                continue
        vcpus = node["vcpus"] * self.conf.availability.cpu_allocation_ratio
        disk = node.get("disk_available_least")
        return Machine(
            gpus,
            used,
            (vcpus, node["memory_mb"], node["local_gb"]),
            (
                vcpus - node["vcpus_used"],
                node["memory_mb"] - node["memory_mb_used"],
                node["local_gb"] - node["local_gb_used"] if disk is None else disk,
            ),
        )


def _limited(flavor: Flavor) -> dict[str, int]:
    return {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.ram, "DISK_GB": flavor.local_disk}


def gpus_by_host(
    aggregates: typing.Iterable[typing.Mapping[str, typing.Any]],
) -> dict[str, dict[str, int]]:
    """GPUs of each host by alias, as the metadata has them; a host counts once for each alias."""
    found: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for aggregate in aggregates:
        metadata = aggregate["metadata"]
        if not strutils.bool_from_string(metadata.get("gpu"), default=False):
            continue
        kind, number = str(metadata.get("gpu_type", "")).strip(), metadata.get("gpu_count", "")
        if not kind or not str(number).isdecimal():
            LOG.warning(
                "Aggregate %s has gpu=True, but gpu_type is '%s' and gpu_count is '%s'",
                aggregate["name"],
                kind,
                number,
            )
            continue
        for host in aggregate["hosts"]:
            # Aggregates that contradict each other: what both promise is there.
            found[host][kind] = min(int(number), found[host].get(kind, int(number)))
    return dict(found)
