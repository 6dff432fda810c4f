# SPDX-License-Identifier: Apache-2.0
"""Brings the regions of this host back in line with Nova's instances.

The regions are read first and the instances second: a claim names its host in the database before
anything is burnt, so a region that is being burnt is never taken for an orphan. What is decided
is decided again under the owner's lock, right before anything is done.
"""

import typing

from nova import context as nova_context
from oslo_log import log as logging

from fpga_hooks import (
    accounting,
    burns,
    cards,
    cli,
    column,
    errors,
    grants,
    guests,
    mending,
    owners,
    retries,
)

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


class Reconciler:
    """Remembers what it said and what failed, so that neither is repeated with every audit."""

    def __init__(self) -> None:
        self._retries = retries.Retries()
        self._found: frozenset[str] = frozenset()

    def start(self, host: str, status: cli.Status) -> bool:
        """Burn lost configurations again, before any guest is resumed.

        Nothing is erased yet: whether this host still has the name that its instances know is
        checked by Nova later.

        :returns: whether a region was changed
        """
        self._found = frozenset(region.owner for region in status.regions if region.owner)
        instances = mending.instances_of(host)
        return self._mend_all(host, status, instances, starting=True)

    def audit(self, host: str, status: cli.Status) -> bool:
        """Erase orphans and what did not erase, burn lost configurations again, repair the column.

        :returns: whether a region was changed
        """
        instances = mending.instances_of(host)
        owned = {region.owner for region in status.regions if region.owner}
        self._retries.keep({*instances, *owned, *(region.id for region in status.regions)})
        orphans = owned_by_nobody_here(status, instances)
        changed = [self._erase(host, owner, regions) for owner, regions in orphans.items()]
        changed += [self._release(r) for r in status.regions if r.quarantine == cli.NOT_ERASED]
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
            if not _needs_mending(instance, status.owned_by(instance.uuid), starting):
                continue
            with owners.held_at_once(instance.uuid) as held:
                if held and mending.still_here(instance, host):
                    changed |= self._mend(instance, starting)
        return changed

    def _mend(self, instance: "objects.Instance", starting: bool) -> bool:
        if not mending.settled(instance, starting):
            return False
        held = cli.status().owned_by(instance.uuid)
        need = mending.need(instance, held)
        ids = {number: region.id for number, region in held.items()}
        changed = False
        for number, region in held.items():
            if region in need.surplus and not starting and self._give_back(instance, region):
                del ids[number]
                changed = True
        chosen = _chosen(instance, held) if need.lost else []
        for number, grant in need.lost.items():
            free = [] if number in held else chosen
            region_id = self._burn_again(instance, number, grant, free, starting)
            if region_id is not None:
                ids[number] = region_id
                changed = True
        if all(region.programmed for region in held.values()):
            _repair(instance, ids, told=not changed)
        return changed

    def _burn_again(
        self,
        instance: "objects.Instance",
        number: int,
        grant: grants.Grant,
        chosen: list[str],
        starting: bool,
    ) -> str | None:
        """The region's id; None where it is not burnt."""
        name = f"{instance.uuid} {number}"
        if not starting and not self._retries.due(name):
            return None
        try:
            region_id = cards.burn_one(grant, instance.uuid, number, chosen)
        except errors.CliError as e:
            words = f"its FPGA region has lost its configuration and cannot be burnt again: {e}"
            self._retries.failed(name, words, instance_uuid=instance.uuid)
            return None
        self._retries.done(name)
        LOG.warning(
            "FPGA region %s had lost its configuration and was burnt again with image %s",
            region_id,
            grant.image_id,
            instance=instance,
        )
        return region_id

    def _give_back(self, instance: "objects.Instance", region: cli.Region) -> bool:
        why = "its instance's flavor does not ask for it"
        name = f"{instance.uuid} {region.number}"
        return self._erase_now(name, instance.uuid, [region], why, region.id)

    def _erase(self, host: str, owner: str, regions: list[cli.Region]) -> bool:
        with owners.held_at_once(owner) as held:
            # What an earlier process began for an owner, nobody goes on with.
            left = owner in self._found and not burns.begun(owner)
            why = mending.why_orphan(owner, host, left) if held else None
            if why is None:
                return False
            if owner in guests.uuids():
                words = f"{_named(regions)} is kept: {why}, but a guest has it"
                self._retries.say(owner, words, instance_uuid=owner)
                return False
            return self._erase_now(owner, owner, regions, why)

    def _erase_now(
        self,
        name: str,
        owner: str,
        regions: list[cli.Region],
        why: str,
        region_id: str | None = None,
    ) -> bool:
        """Erase all that an owner holds, or one region of it."""
        if not self._retries.due(name):
            return False
        try:
            cli.erase(owner, region_id)
        except errors.CliError as e:
            words = f"{_named(regions)} is not erased, though {why}: {e}"
            self._retries.failed(name, words, instance_uuid=owner)
            return False
        self._retries.done(name)
        LOG.warning("%s erased: %s", _named(regions), why, instance_uuid=owner)
        return True

    def _release(self, region: cli.Region) -> bool:
        """Try once more to erase a region that is in quarantine because it did not erase."""
        if not self._retries.due(region.id) or region.owner in guests.uuids():
            return False
        try:
            cli.release(region.id)
        except errors.CliError as e:
            words = f"{_named([region])} stays in quarantine, because it does not erase: {e}"
            self._retries.failed(region.id, words)
            return False
        self._retries.done(region.id)
        LOG.warning("%s has erased at last and is out of quarantine", _named([region]))
        return True


def owned_by_nobody_here(
    status: cli.Status, instances: typing.Container[str]
) -> dict[str, list[cli.Region]]:
    """The programmed regions, by owner, whose owner is no instance of this host."""
    orphans: dict[str, list[cli.Region]] = {}
    for region in status.regions:
        if region.programmed and region.owner and region.owner not in instances:
            orphans.setdefault(region.owner, []).append(region)
    return orphans


def _chosen(instance: "objects.Instance", held: dict[int, cli.Region]) -> list[str]:
    """The cards that Placement chose for what the instance does not hold."""
    context = nova_context.get_admin_context()
    return cards.free_of(cards.chosen(context, instance.uuid), held)


def _named(regions: list[cli.Region]) -> str:
    return f"FPGA region {' and '.join(region.id for region in regions)}"


def _needs_mending(
    instance: "objects.Instance", held: dict[int, cli.Region], starting: bool
) -> bool:
    if not mending.settled(instance, starting):
        return False
    need = mending.need(instance, held)
    if need.lost or (need.surplus and not starting):
        return True
    ids = {number: region.id for number, region in held.items()}
    return column.known(instance) and column.read(instance) != accounting.joined(ids)


def _repair(instance: "objects.Instance", ids: dict[int, str], told: bool) -> None:
    """Have the column name these regions, by number.

    :param told: whether to say that it did not
    """
    value = accounting.joined(ids)
    if not column.known(instance) or column.read(instance) == value:
        return
    if told:
        LOG.warning(
            "The database had FPGA region %s, the ledger has %s; the database was corrected",
            column.read(instance) or "none",
            value or "none",
            instance=instance,
        )
    column.write(instance, value)
