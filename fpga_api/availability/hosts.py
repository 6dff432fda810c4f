# SPDX-License-Identifier: Apache-2.0
"""Which hosts take servers, of which projects, and which aggregates they are in.

Aggregates are Nova's own, by their hosts: what its filters read, and what it copies to Placement.
"""

import collections
import dataclasses
import typing

from fpga_api import peers
from fpga_api.availability import cloud

_TENANT = "filter_tenant_id"
_REQUIRED = "required"
_ZONE = "availability_zone"

Metadata = typing.Mapping[str, frozenset[str]]


@dataclasses.dataclass(frozen=True)
class Host:
    """A host that takes servers.

    :ivar metadata: values of its aggregates by key, as Nova's filters merge them
    """

    name: str
    metadata: Metadata = dataclasses.field(default_factory=dict)

    @property
    def tenants(self) -> frozenset[str]:
        """The projects that its aggregates are for; empty if for all."""
        found = (values for key, values in self.metadata.items() if key.startswith(_TENANT))
        return frozenset().union(*found)

    @property
    def zone(self) -> str | None:
        """Its availability zone, of which a host has one at most; None if no aggregate has it."""
        return min(self.metadata.get(_ZONE, ()), default=None)

    @property
    def isolating_traits(self) -> frozenset[str]:
        """The traits that a server has to ask for, if isolated aggregates are on."""
        return frozenset(
            key.removeprefix("trait:")
            for key, values in self.metadata.items()
            if key.startswith("trait:") and _REQUIRED in values
        )

    def has(self, wanted: typing.Mapping[str, str]) -> bool:
        """Whether AggregateInstanceExtraSpecsFilter lets it pass.

        :param wanted: values by key; several alternatives as ``<or> A <or> B``
        """
        return all(
            _alternatives(value) & self.metadata.get(key, frozenset())
            for key, value in wanted.items()
        )


def _alternatives(value: str) -> frozenset[str]:
    if not value.startswith("<or>"):
        return frozenset({value})
    return frozenset(one.strip() for one in value.split("<or>") if one.strip())


class Hosts:
    """Names of hosts by the uuid of their provider, which Nova is asked for once for each.

    :param services: the cloud
    """

    def __init__(self, services: cloud.Cloud) -> None:
        self._cloud = services
        self._names: dict[str, str | None] = {}

    def usable(self, roots: typing.Mapping[str, str]) -> dict[str, Host]:
        """The hosts that take servers, by the uuid of their provider.

        :param roots: names of providers by uuid
        :raises errors.CloudUnavailable: Nova does not answer
        """
        services = {one["host"]: one for one in self._cloud.services()}
        metadata = metadata_by_host(self._cloud.aggregates())
        found = {}
        for uuid, name in roots.items():
            host = self._name(uuid, name, services)
            service = services.get(host) if host else None
            if host and service and is_usable(service):
                found[uuid] = Host(host, metadata.get(host, {}))
        return found

    def _name(self, uuid: str, name: str, services: typing.Mapping[str, typing.Any]) -> str | None:
        """The service's host: mostly the provider's name, but a node may be called otherwise."""
        if name in services:
            return name
        if uuid not in self._names:
            try:
                self._names[uuid] = self._cloud.hypervisor(uuid)["service"]["host"]
            except peers.MissingError:
                # A provider that is none of Nova's.
                self._names[uuid] = None
        return self._names[uuid]


def is_usable(service: typing.Mapping[str, typing.Any]) -> bool:
    """Whether a compute service is up and enabled."""
    return bool(service["state"] == "up" and service["status"] == "enabled")


def metadata_by_host(
    aggregates: typing.Iterable[typing.Mapping[str, typing.Any]],
) -> dict[str, Metadata]:
    """The metadata of the aggregates of each host, merged: comma separates values."""
    merged: dict[str, dict[str, set[str]]] = collections.defaultdict(
        lambda: collections.defaultdict(set)
    )
    for aggregate in aggregates:
        for key, value in aggregate["metadata"].items():
            values = {one.strip() for one in str(value).split(",")}
            for host in aggregate["hosts"]:
                merged[host][key] |= values
    return {
        host: {key: frozenset(values) for key, values in by_key.items()}
        for host, by_key in merged.items()
    }
