# SPDX-License-Identifier: Apache-2.0
"""The rules that ledger, database and Placement must agree by, and what breaks them.

All of it is read at different moments, so whatever something is at work on (an instance with a
task, a region in a state that passes, a host with a migration) is not judged.
"""

import collections
import dataclasses
import typing

from fpga_nova import host_status, request, server_states

#: The code of an instance that has fewer regions in Placement than it is to have.
ALLOCATION_MISSING = "allocation-missing"


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that does not agree.

    :param code: which rule; never changes
    :param subject: the region, instance or consumer; the host where it is of the whole host
    """

    code: str
    host: str
    subject: str
    words: str


@dataclasses.dataclass(frozen=True)
class Instance:
    """An instance that is not deleted, as the database has it.

    :ivar flavor: Nova's object as it is kept
    :ivar from_volume: whether its root disk is a volume
    """

    uuid: str
    host: str | None
    vm_state: str | None
    task_state: str | None
    device: str | None
    extra_specs: typing.Mapping[str, str]
    project: str | None = None
    user: str | None = None
    flavor: dict[str, typing.Any] | None = None
    from_volume: bool = False

    @property
    def numbers(self) -> list[int]:
        """The numbers of the regions that its flavor asks for."""
        return request.numbers(self.extra_specs)

    def allocation(self, request_placement: bool) -> int:
        """How many regions Placement is to have for it.

        :param request_placement: whether the scheduler asks for regions that flavors do not name
        """
        if request.names_resource(self.extra_specs):
            return sum(
                int(amount)
                for key, amount in self.extra_specs.items()
                if request.names_resource({key: amount}) and amount.isdecimal()
            )
        asks = request_placement or request.functions_wanted(self.extra_specs)
        return len(self.numbers) if asks else 0

    @property
    def settled(self) -> bool:
        """Whether it has or must have its region, and nothing is at work on it."""
        return self.task_state is None and self.vm_state in server_states.LIVING


@dataclasses.dataclass(frozen=True)
class Node:
    """A compute node as the database has it.

    :param moving: whether a migration from it or to it is not over
    """

    uuid: str
    host: str
    regions: int
    used: int
    moving: bool


@dataclasses.dataclass(frozen=True)
class Provider:
    """A compute node's provider as Placement has it.

    :param allocations: regions by consumer
    :param claims: those of the consumers that are claims, and no instances
    """

    total: int
    reserved: int
    allocations: typing.Mapping[str, int]
    claims: frozenset[str] = frozenset()

    @property
    def usable(self) -> int:
        """Regions that instances have or may get."""
        of_claims = sum(self.allocations[claim] for claim in self.claims)
        return self.total - self.reserved - of_claims


def of_ledger(
    node: Node, status: host_status.Status, here: list[Instance]
) -> typing.Iterator[Finding]:
    """What the ledger of a host and the database disagree on.

    :param here: the instances of this host
    """
    requests = {instance.uuid: instance.numbers for instance in here}
    for region in status.regions:
        yield from _of_region(node, region, requests)
    for instance in here:
        if instance.settled:
            yield from _of_instance(node, status, instance)
    owners = {one.owner for one in status.regions if one.owner is not None and not one.of_claim}
    # Until they are erased, the audit offers them to nobody.
    strays = sum(
        len(host_status.surplus(status.owned_by(owner), requests.get(owner, [])))
        for owner in owners
    )
    usable = status.for_instances
    if not usable - strays <= node.regions <= usable:
        words = f"compute_nodes.fpga_regions is {node.regions}, the ledger has {usable}"
        yield Finding("regions-differ", node.host, node.host, words)


def _of_instance(
    node: Node, status: host_status.Status, instance: Instance
) -> typing.Iterator[Finding]:
    regions = status.owned_by(instance.uuid)
    ids = {number: region.id for number, region in regions.items() if region.settled}
    numbers = [str(number) for number in instance.numbers if number not in ids]
    if numbers:
        words = f"its flavor asks for region {', '.join(numbers)}, and the ledger has none"
        yield Finding("instance-without-region", node.host, instance.uuid, words)
    device = request.joined(ids)
    if instance.device != device:
        words = f"instances.fpga_device is {instance.device}, the ledger has {device}"
        yield Finding("device-differs", node.host, instance.uuid, words)


def of_database(node: Node, here: list[Instance]) -> typing.Iterator[Finding]:
    """What the database of a host contradicts itself in."""
    devices = collections.Counter(
        device for instance in here if instance.device for device in instance.device.split(",")
    )
    for device, times in devices.items():
        if times > 1:
            words = f"{times} instances have it in instances.fpga_device"
            yield Finding("region-twice", node.host, device, words)
    used = sum(len(instance.numbers) for instance in here)
    settled = not node.moving and all(instance.task_state is None for instance in here)
    if settled and used != node.used:
        words = f"compute_nodes.fpga_regions_used is {node.used}, its instances have {used}"
        yield Finding("used-differs", node.host, node.host, words)


def of_placement(
    node: Node,
    provider: Provider | None,
    here: list[Instance],
    consumers: typing.Container[str],
    request_placement: bool = False,
) -> typing.Iterator[Finding]:
    """What Placement and the database of a host disagree on.

    :param provider: None where it has no inventory of regions
    :param consumers: every instance and every migration that is not over
    :param request_placement: whether the scheduler asks for regions that flavors do not name
    """
    if provider is None:
        if node.regions:
            words = f"there is no {request.RESOURCE_CLASS} of its {node.regions} regions"
            yield Finding("inventory-missing", node.host, node.host, words)
        return
    if provider.usable != node.regions:
        offer = f"Placement offers {provider.usable} regions"
        words = f"{offer}, compute_nodes.fpga_regions is {node.regions}"
        yield Finding("inventory-differs", node.host, node.host, words)
    for consumer, amount in provider.allocations.items():
        if consumer not in consumers and consumer not in provider.claims:
            words = f"{amount} regions are allocated to it, and Nova knows no such instance"
            yield Finding("allocation-orphan", node.host, consumer, words)
    for instance in here:
        amount = provider.allocations.get(instance.uuid, 0)
        shortfall = instance.allocation(request_placement) - amount
        if instance.settled and shortfall > 0:
            words = f"{amount} regions are allocated to it, {shortfall} fewer than it is to have"
            yield Finding(ALLOCATION_MISSING, node.host, instance.uuid, words)


def _of_region(
    node: Node, region: host_status.Region, instances: typing.Container[str]
) -> typing.Iterator[Finding]:
    owner = region.owner or "nobody"
    if region.quarantined:
        yield Finding("quarantined", node.host, region.id, _why_quarantined(region))
    if region.configuration_lost:
        words = f"it lost the configuration of instance {owner}"
        yield Finding("configuration-lost", node.host, region.id, words)
    if region.configuration_unknown:
        words = f"it does not say whether it has the configuration of {owner}"
        yield Finding("configuration-unknown", node.host, region.id, words)
    homeless = region.owner and region.owner not in instances and not region.of_claim
    if homeless and (region.programmed or region.claimed) and not node.moving:
        words = f"its owner {region.owner} is not an instance of this host"
        yield Finding("region-without-instance", node.host, region.id, words)


def _why_quarantined(region: host_status.Region) -> str:
    by_operator = region.quarantine == host_status.BY_OPERATOR
    words = "an operator put it there" if by_operator else "it did not erase"
    return f"{words}; instance {region.owner} may have it" if region.owner else words
