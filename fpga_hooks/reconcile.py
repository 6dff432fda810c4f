# SPDX-License-Identifier: Apache-2.0
"""Brings the regions of this host back in line with Nova's instances.

The regions are read first and the instances second: a claim names its host in the database before
anything is burnt, so a region that is being burnt is never taken for an orphan. What is decided
is decided again under the owner's lock, right before anything is done.
"""

import time
import typing

from nova import context as nova_context
from nova import exception, objects
from nova.compute import task_states, vm_states
from oslo_log import log as logging

from fpga_hooks import accounting, cli, column, errors, guests, owners

LOG = logging.getLogger(__name__)

#: An instance in one of these has, or can get, a running guest on the host that it is on.
_LIVING = frozenset(
    {
        vm_states.ACTIVE,
        vm_states.STOPPED,
        vm_states.PAUSED,
        vm_states.SUSPENDED,
        vm_states.RESCUED,
        vm_states.SOFT_DELETED,
    }
)

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

#: A migration in one of these asks nothing more of either host.
_OVER = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done", "error"})

_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0  # seconds between two tries that fail


class Reconciler:
    """Remembers what it said and what failed, so that neither is repeated with every audit."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._pauses: dict[str, tuple[float, float]] = {}

    def start(self, host: str, status: cli.Status) -> bool:
        """Burn lost configurations again, before any guest is resumed.

        Nothing is erased yet: whether this host still has the name that its instances know is
        checked by Nova later.

        :returns: whether a region was changed
        """
        instances = _instances_of(host)
        return self._mend_all(host, status, instances, starting=True)

    def audit(self, host: str, status: cli.Status) -> bool:
        """Erase orphans, burn lost configurations again, repair the column.

        :returns: whether a region was changed
        """
        instances = _instances_of(host)
        self._forget({*instances, *(region.owner for region in status.regions if region.owner)})
        orphans = [
            region
            for region in status.regions
            if region.programmed and region.owner and region.owner not in instances
        ]
        changed = [self._erase(host, region) for region in orphans]
        return self._mend_all(host, status, instances, starting=False) or any(changed)

    def _mend_all(
        self,
        host: str,
        status: cli.Status,
        instances: "dict[str, objects.Instance]",
        starting: bool,
    ) -> bool:
        changed = False
        for instance in instances.values():
            region = status.owned_by(instance.uuid)
            if not _needs_mending(instance, region, starting):
                continue
            with owners.held_at_once(instance.uuid) as held:
                if held and _still_here(instance, host):
                    changed |= self._mend(instance, starting)
        return changed

    def _mend(self, instance: "objects.Instance", starting: bool) -> bool:
        if not _settled(instance, starting):
            return False
        region = cli.status().owned_by(instance.uuid)
        if not starting and self._pausing(instance.uuid):
            return False
        if region is not None and _surplus(instance, region):
            return self._give_back(instance, region)
        image_id = _image_to_burn(instance, region)
        if image_id is None:
            _repair(instance, region)
            return False
        try:
            region_id = cli.burn(image_id, instance.uuid)
        except errors.CliError as e:
            self._pause(instance.uuid)
            self._say(
                instance.uuid,
                f"its FPGA region has lost its configuration and cannot be burnt again: {e.reason}",
            )
            if region is None:
                _repair(instance, None)
            return False
        self._pauses.pop(instance.uuid, None)
        self._said.pop(instance.uuid, None)
        LOG.warning(
            "FPGA region %s had lost its configuration and was burnt again with image %s",
            region_id,
            image_id,
            instance=instance,
        )
        if column.known(instance) and column.read(instance) != region_id:
            column.write(instance, region_id)
        return True

    def _give_back(self, instance: "objects.Instance", region: cli.Region) -> bool:
        why = "its instance's flavor asks for none"
        if not self._erase_now(instance.uuid, region, why):
            return False
        if column.read(instance):
            column.write(instance, None)
        return True

    def _erase(self, host: str, region: cli.Region) -> bool:
        owner = typing.cast(str, region.owner)
        with owners.held_at_once(owner) as held:
            why = _why_orphan(owner, host) if held else None
            if why is None or self._pausing(owner):
                return False
            if owner in guests.uuids():
                self._say(owner, f"FPGA region {region.id} is kept: {why}, but a guest has it")
                return False
            return self._erase_now(owner, region, why)

    def _erase_now(self, owner: str, region: cli.Region, why: str) -> bool:
        try:
            cli.erase(owner)
        except errors.CliError as e:
            self._pause(owner)
            self._say(owner, f"FPGA region {region.id} is not erased, though {why}: {e.reason}")
            return False
        self._pauses.pop(owner, None)
        LOG.warning("FPGA region %s erased: %s", region.id, why, instance_uuid=owner)
        return True

    def _say(self, owner: str, words: str) -> None:
        if self._said.get(owner) != words:
            LOG.error("%s", words, instance_uuid=owner)
        self._said[owner] = words

    def _pausing(self, owner: str) -> bool:
        return time.monotonic() < self._pauses.get(owner, (0.0, 0.0))[0]

    def _pause(self, owner: str) -> None:
        _, last = self._pauses.get(owner, (0.0, _FIRST_PAUSE / 2))
        pause = min(last * 2, _LONGEST_PAUSE)
        self._pauses[owner] = (time.monotonic() + pause, pause)

    def _forget(self, living: set[str]) -> None:
        for remembered in (self._said, self._pauses):
            for owner in set(remembered) - living:
                del remembered[owner]


def _instances_of(host: str) -> "dict[str, objects.Instance]":
    found = objects.InstanceList.get_by_host(
        nova_context.get_admin_context(), host, expected_attrs=["flavor"]
    )
    return {instance.uuid: instance for instance in found}


def _needs_mending(instance: "objects.Instance", region: cli.Region | None, starting: bool) -> bool:
    if not _settled(instance, starting):
        return False
    if region is not None and _surplus(instance, region):
        return not starting
    if _image_to_burn(instance, region) is not None:
        return True
    return column.known(instance) and column.read(instance) != (region.id if region else None)


def _image_to_burn(instance: "objects.Instance", region: cli.Region | None) -> str | None:
    """The image that a region of the instance lacks; None if it lacks nothing."""
    if region is None:
        living = instance.vm_state in _LIVING
        image_id = accounting.bitstream_of(instance.flavor) if living else None
        return image_id if image_id and accounting.UUID.fullmatch(image_id) else None
    if not region.programmed or region.healthy is not False:
        return None
    return region.image_id


def _surplus(instance: "objects.Instance", region: cli.Region) -> bool:
    """Whether an instance has no use for its region: it was resized on its host."""
    unwanted = accounting.bitstream_of(instance.flavor) is None
    return unwanted and region.programmed and instance.vm_state in _LIVING


def _settled(instance: "objects.Instance", starting: bool) -> bool:
    """Whether nothing is at work on the instance."""
    if instance.vm_state not in _LIVING | {vm_states.ERROR}:
        return False
    if instance.task_state is None:
        return True
    return starting and instance.task_state in _LEFT_BEHIND


def _still_here(instance: "objects.Instance", host: str) -> bool:
    try:
        instance.refresh()
    except exception.InstanceNotFound:
        return False
    here: bool = instance.host == host
    return here


def _why_orphan(owner: str, host: str) -> str | None:
    """Why an owner has no more use for a region on this host; None if it has."""
    context = nova_context.get_admin_context(read_deleted="yes")
    try:
        instance = objects.Instance.get_by_uuid(context, owner, expected_attrs=[])
    except exception.InstanceNotFound:
        return "Nova knows no instance of its owner's id"
    if instance.deleted:
        return "its instance is deleted"
    if instance.host == host or instance.task_state is not None:
        return None
    moves = objects.MigrationList.get_by_filters(context, {"instance_uuid": owner})
    if any(m.status not in _OVER and host in (m.source_compute, m.dest_compute) for m in moves):
        return None
    return f"its instance is on host {instance.host}" if instance.host else "its instance left"


def _repair(instance: "objects.Instance", region: cli.Region | None) -> None:
    if region is not None and not region.programmed:
        return
    region_id = region.id if region else None
    if not column.known(instance) or column.read(instance) == region_id:
        return
    LOG.warning(
        "The database had FPGA region %s, the ledger has %s; the database was corrected",
        column.read(instance) or "none",
        region_id or "none",
        instance=instance,
    )
    column.write(instance, region_id)
