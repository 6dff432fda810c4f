# SPDX-License-Identifier: Apache-2.0
"""What an instance and the regions that it holds lack, by its grants and by the ledger."""

import dataclasses
import typing

from nova import context as nova_context
from nova import exception, objects, servicegroup
from nova.compute import task_states, vm_states

from fpga_nova import column, host_status, server_states
from fpga_nova.grants import Grants
from fpga_nova.instance_request import InstanceRequest

#: Left behind by a nova-compute that died; what was asked for is a guest that runs or stops.
_LEFT_BEHIND = frozenset(
    {
        *task_states.soft_reboot_states,
        *task_states.hard_reboot_states,
        task_states.POWERING_ON,
        task_states.POWERING_OFF,
        task_states.PAUSING,
        task_states.UNPAUSING,
    }
)


@dataclasses.dataclass(frozen=True)
class Need:
    """What is to be done for an instance.

    :ivar surplus: regions that it was not granted: it was resized on its host
    :ivar burns: what is to be burnt again, by number
    """

    surplus: tuple[host_status.Region, ...]
    burns: Grants


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What Nova's database reports of the owner of a region; with neither, the owner may use it.

    :ivar orphan: why the owner has no use for it any more
    :ivar doubt: why that cannot be known, though the owner is on another host
    :ivar no_instance: the owner is none; a claim may be one
    """

    orphan: str | None = None
    doubt: str | None = None
    no_instance: bool = False


def need(instance: "objects.Instance", regions: typing.Mapping[int, host_status.Region]) -> Need:
    """Compare what an instance was granted with the regions that it holds, number by number."""
    living = instance.vm_state in server_states.LIVING
    due = InstanceRequest.of(instance).due(regions)
    burns = {number: grant for number, grant in due.items() if living and number not in regions}
    for number, region in regions.items():
        if region.burnable and number in due:
            burns[number] = due[number]
    surplus = host_status.surplus(regions, due) if living else ()
    return Need(surplus, dict(sorted(burns.items())))


def settled(instance: "objects.Instance", starting: bool) -> bool:
    """Whether nothing is at work on the instance."""
    if instance.vm_state not in server_states.LIVING | {vm_states.ERROR}:
        return False
    if instance.task_state is None:
        return True
    return starting and instance.task_state in _LEFT_BEHIND


def still_here(instance: "objects.Instance", host: str) -> bool:
    """Read the instance anew; whether it is on this host."""
    try:
        instance.refresh()
    except exception.InstanceNotFound:
        return False
    here: bool = instance.host == host
    return here


def of_owner(owner: str, host: str, leftover: bool, ids: typing.Collection[str]) -> Verdict:
    """Whether an owner, who is no instance of this host, has a use for regions on it.

    :param leftover: they were burnt before this process started; a task that the instance has is
        not at work on them, unless it is of this host, or of one that is up and shares this ledger
    :param ids: the regions' ids
    """
    context = nova_context.get_admin_context(read_deleted="yes")
    try:
        instance = objects.Instance.get_by_uuid(context, owner, expected_attrs=[])
    except exception.InstanceNotFound:
        return Verdict(orphan="Nova knows no instance of its owner's id", no_instance=True)
    if instance.deleted:
        return Verdict(orphan="its instance is deleted")
    if instance.host == host or not (leftover or instance.task_state is None):
        return Verdict()
    moves = objects.MigrationList.get_by_filters(context, {"instance_uuid": owner})
    here = [move for move in moves if host in (move.source_compute, move.dest_compute)]
    if any(move.status not in server_states.OVER for move in here):
        return Verdict()
    if not here:
        # Nothing says that the instance was ever on a host of this name.
        if instance.task_state is not None and instance.host and _is_up(instance.host):
            return Verdict()
        # One on no host is not one of this host before it was renamed: a build failed here.
        known = (column.read(instance) or "").split(",")
        if instance.host and not set(known).isdisjoint(ids):
            return Verdict(
                doubt=f"its instance is on host {instance.host}, has this very region, and this "
                f"host is {host}; if it was renamed, give it its former name"
            )
    return Verdict(
        orphan=f"its instance is on host {instance.host}" if instance.host else "its instance left"
    )


def _is_up(host: str) -> bool:
    """Whether a host's nova-compute runs; also where that cannot be known."""
    context = nova_context.get_admin_context()
    try:
        service = objects.Service.get_by_compute_host(context, host)
    except exception.ComputeHostNotFound:
        return False
    return bool(servicegroup.API().service_is_up(service)) and not service.forced_down


def instances_of(host: str) -> "dict[str, objects.Instance]":
    """The instances of this host, by uuid."""
    instances = objects.InstanceList.get_by_host(
        nova_context.get_admin_context(), host, expected_attrs=["flavor", "system_metadata"]
    )
    return {instance.uuid: instance for instance in instances}
