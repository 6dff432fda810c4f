# SPDX-License-Identifier: Apache-2.0
"""The rules that ledger, database and Placement must agree by, and what breaks them.

All of it is read at different moments, so whatever something is at work on (an instance with a
task, a region in a state that passes, a host with a migration) is not judged.
"""

import collections
import dataclasses
import typing

from fpga_nova import request

#: A guest of an instance in one of these has its region.
_LIVING = frozenset({"active", "stopped", "paused", "suspended", "rescued", "soft-delete"})

#: No fpga-cli is at work on a region in one of these, and it is not free.
_SETTLED = frozenset({"programmed", "quarantined"})

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
    def wanted(self) -> dict[int, str]:
        """The images of the regions that its flavor asks for, by number."""
        return request.bitstreams(self.extra_specs)

    def allocated(self, request_placement: bool) -> int:
        """How many regions Placement is to have for it.

        :param request_placement: whether the scheduler asks for regions that flavors do not name
        """
        if request.names_resource(self.extra_specs):
            return sum(
                int(amount)
                for key, amount in self.extra_specs.items()
                if request.names_resource({key: amount}) and amount.isdecimal()
            )
        return len(self.wanted) if request_placement else 0

    @property
    def settled(self) -> bool:
        """Whether it has or must have its region, and nothing is at work on it."""
        return self.task_state is None and self.vm_state in _LIVING


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
    """

    total: int
    reserved: int
    allocations: typing.Mapping[str, int]


def of_ledger(
    node: Node, regions: typing.Sequence[typing.Mapping[str, typing.Any]], here: list[Instance]
) -> typing.Iterator[Finding]:
    """What the ledger of a host and the database disagree on.

    :param regions: as ``fpga-cli.py status --format json`` tells them
    :param here: the instances of this host
    """
    held_by = _held(regions)
    known = {instance.uuid for instance in here}
    for region in regions:
        yield from _of_region(node, region, known)
    for instance in here:
        if not instance.settled:
            continue
        ids = held_by.get(instance.uuid, {})
        missing = [str(number) for number in instance.wanted if number not in ids]
        if missing:
            words = f"its flavor asks for region {', '.join(missing)}, and the ledger has none"
            yield Finding("instance-without-region", node.host, instance.uuid, words)
        held = request.joined(ids)
        if instance.device != held:
            words = f"instances.fpga_device is {instance.device}, the ledger has {held}"
            yield Finding("device-differs", node.host, instance.uuid, words)
    usable = sum(not _withheld(region) for region in regions)
    wanted = {instance.uuid: instance.wanted for instance in here}
    stray = sum(_may_be_stray(region, wanted) for region in regions)
    if not usable - stray <= node.regions <= usable:
        words = f"compute_nodes.fpga_regions is {node.regions}, the ledger has {usable}"
        yield Finding("regions-differ", node.host, node.host, words)


def of_database(node: Node, here: list[Instance]) -> typing.Iterator[Finding]:
    """What the database of a host contradicts itself in."""
    devices = collections.Counter(
        device for instance in here if instance.device for device in instance.device.split(",")
    )
    for device, times in devices.items():
        if times > 1:
            words = f"{times} instances have it in instances.fpga_device"
            yield Finding("region-twice", node.host, device, words)
    counted = sum(len(instance.wanted) for instance in here)
    settled = not node.moving and all(instance.task_state is None for instance in here)
    if settled and counted != node.used:
        words = f"compute_nodes.fpga_regions_used is {node.used}, its instances have {counted}"
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
    offered = provider.total - provider.reserved
    if offered != node.regions:
        words = f"Placement offers {offered} regions, compute_nodes.fpga_regions is {node.regions}"
        yield Finding("inventory-differs", node.host, node.host, words)
    for consumer, amount in provider.allocations.items():
        if consumer not in consumers:
            words = f"{amount} regions are allocated to it, and Nova knows no such instance"
            yield Finding("allocation-orphan", node.host, consumer, words)
    for instance in here:
        amount = provider.allocations.get(instance.uuid, 0)
        lacking = instance.allocated(request_placement) - amount
        if instance.settled and lacking > 0:
            words = f"{amount} regions are allocated to it, {lacking} fewer than it is to have"
            yield Finding(ALLOCATION_MISSING, node.host, instance.uuid, words)


def _of_region(
    node: Node, region: typing.Mapping[str, typing.Any], known: typing.Container[str]
) -> typing.Iterator[Finding]:
    if region["state"] == "quarantined":
        yield Finding("quarantined", node.host, region["id"], _why_quarantined(region))
    if region["state"] != "programmed":
        return
    if region.get("healthy") is False:
        words = f"it lost the configuration of instance {region['owner'] or 'nobody'}"
        yield Finding("configuration-lost", node.host, region["id"], words)
    if region.get("healthy", True) is None:
        words = f"it does not say whether it has the configuration of {region['owner'] or 'nobody'}"
        yield Finding("configuration-unknown", node.host, region["id"], words)
    if region["owner"] and region["owner"] not in known and not node.moving:
        words = f"its owner {region['owner']} is not an instance of this host"
        yield Finding("region-without-instance", node.host, region["id"], words)


def _why_quarantined(region: typing.Mapping[str, typing.Any]) -> str:
    by_operator = region.get("quarantine") == "operator"
    words = "an operator put it there" if by_operator else "it did not erase"
    return f"{words}; instance {region['owner']} may have it" if region["owner"] else words


def _withheld(region: typing.Mapping[str, typing.Any]) -> bool:
    """Whether no instance has it or may get it; one in quarantine may be in its owner's guest."""
    return region["owner"] is None and region["state"] in _SETTLED


def _may_be_stray(
    region: typing.Mapping[str, typing.Any], wanted: typing.Mapping[str, dict[int, str]]
) -> bool:
    """Whether its owner has no use for it: until it is erased, the audit offers it to nobody."""
    if region["owner"] is None or region["state"] not in _SETTLED:
        return False
    return (region.get("number") or 1) not in wanted.get(region["owner"], {})


def _held(
    regions: typing.Sequence[typing.Mapping[str, typing.Any]],
) -> dict[str, dict[int, str]]:
    """The ids of the regions that instances have, those in quarantine too, by owner and number."""
    held: dict[str, dict[int, str]] = {}
    for region in regions:
        if region["owner"] and region["state"] in _SETTLED:
            held.setdefault(region["owner"], {})[region.get("number") or 1] = region["id"]
    return held
