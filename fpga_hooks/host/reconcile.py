# SPDX-License-Identifier: Apache-2.0
"""Brings the regions of this host back in line with Nova's instances.

The regions are read first and the instances second: a claim names its host in the database before
anything is burnt, so a region that is being burnt is never taken for an orphan. What is decided
is decided again under the owner's lock, right before anything is done.

No region is erased before the virt driver has said that no guest has its nodes, whoever made the
guest; while that is not known, nothing is erased.
"""

import itertools
import time
import typing

from nova import context as nova_context
from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.host import backoff, columns, interrupted, misplaced
from fpga_hooks.instance import background, cards, guests, needs, owner_locks
from fpga_hooks.placement import claims
from fpga_hooks.program import client, errors
from fpga_nova import grants, host_status

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


class Reconciler:
    """Remembers what it said and what failed, so that neither is repeated with every audit.

    :ivar stray: ids of the regions for which their owners have no use on this host, as of the last
        audit, and that were not erased: a guest has them, or may have, or the erase failed
    :ivar claimed: ids of those that claims hold, as of the last audit
    """

    def __init__(self) -> None:
        self._retries = backoff.Retries()
        self._owners_at_start: frozenset[str] = frozenset()
        self.stray: set[str] = set()
        self.claimed: set[str] = set()

    def start(self, host: str, status: host_status.Status) -> bool:
        """Burn lost configurations again, before any guest is resumed.

        No longer than ``[fpga] start_timeout``: the audit goes on. Nothing is erased yet: whether
        this host still has the name that its instances know is checked by Nova later.

        :returns: whether a region was changed
        """
        self._owners_at_start = frozenset(region.owner for region in status.regions if region.owner)
        instances = needs.instances_of(host)
        interrupted.settle(host, instances)
        return self._mend_all(host, status, instances, starting=True)

    def audit(self, host: str, status: host_status.Status) -> bool:
        """Erase orphans and what did not erase, burn lost configurations again, repair the column.

        :returns: whether a region was changed
        """
        instances = needs.instances_of(host)
        interrupted.settle(host, instances)
        owned = {region.owner for region in status.regions if region.owner}
        self._retries.keep({*instances, *owned, *(region.id for region in status.regions)})
        orphans = owned_by_nobody_here(status, instances)
        self.stray.clear()
        self.claimed.clear()
        changed = [self._erase(host, owner, regions) for owner, regions in orphans.items()]
        changed += [self._release(r) for r in status.regions if _may_be_released(r)]
        if any(region.numbered for region in status.regions):
            misplaced.stop_guests(self._retries)
        changed.append(self._mend_all(host, status, instances, starting=False))
        return any(changed)

    def _mend_all(
        self,
        host: str,
        status: host_status.Status,
        instances: "dict[str, objects.Instance]",
        starting: bool,
    ) -> bool:
        changed = False
        end = time.monotonic() + CONF.fpga.start_timeout
        for instance in instances.values():
            if not _needs_mending(instance, status.owned_by(instance.uuid), starting):
                continue
            if time.monotonic() >= end:
                LOG.warning("FPGA regions are left for the next audit: [fpga] start_timeout is up")
                break
            with owner_locks.held_at_once(instance.uuid) as held:
                if not held or not needs.still_here(instance, host):
                    continue
                try:
                    changed |= self._mend(instance, starting)
                except errors.CliError as e:
                    LOG.error("Other FPGA regions are left for the next audit: %s", e)
                    break
        return changed

    def _mend(self, instance: "objects.Instance", starting: bool) -> bool:
        """Bring an instance and its regions in line.

        :raises errors.CliError: the regions cannot be looked at, or this host can burn nothing now
        """
        if not needs.settled(instance, starting):
            return False
        regions = client.status().owned_by(instance.uuid)
        numbered = any(region.numbered for region in regions.values())
        need = needs.need(instance, regions)
        ids = {number: region.id for number, region in regions.items()}
        changed = False
        for number, region in regions.items():
            if region in need.surplus and not starting and self._give_back(instance, region):
                del ids[number]
                changed = True
        try:
            pool = _free_cards(instance, regions) if need.burns else []
        except exception.ConsumerAllocationRetrievalFailed as e:
            self._retries.say(instance.uuid, f"its cards are not known: {e}", instance=instance)
            return changed
        for number, grant in need.burns.items():
            if starting and number not in regions and CONF.fpga.providers == "card":
                continue  # its card is not known yet
            cards_of_it = [] if number in regions else pool
            region_id = self._burn_again(instance, number, grant, cards_of_it, starting)
            if region_id is not None:
                ids[number] = region_id
                changed = True
        if changed and numbered:
            misplaced.stop_guests(self._retries)
        if all(region.settled for region in regions.values()):
            columns.repair(instance, ids, log=not changed)
        return changed

    def _burn_again(
        self,
        instance: "objects.Instance",
        number: int,
        grant: grants.Grant,
        pool: list[str],
        starting: bool,
    ) -> str | None:
        """The region's id; None where it is not burnt."""
        name = f"{instance.uuid} {number}"
        if not starting and not self._retries.due(name):
            return None
        try:
            region_id = cards.burn_one(grant, instance.uuid, number, pool)
        except errors.CliError as e:
            words = f"its FPGA region has lost its configuration and cannot be burnt again: {e}"
            self._retries.failed(name, words, instance_uuid=instance.uuid)
            if e.code in errors.OF_HOST:
                raise
            return None
        self._retries.done(name)
        LOG.warning(
            "FPGA region %s had lost its configuration and was burnt again with image %s",
            region_id,
            grant.image_id,
            instance=instance,
        )
        return region_id

    def _give_back(self, instance: "objects.Instance", region: host_status.Region) -> bool:
        why = "its instance's flavor does not ask for it"
        name = f"{instance.uuid} {region.number}"
        # Of what an older release had in quarantine, the nodes are not on record.
        owner = None if region.paths else instance.uuid
        if not self._is_without_guest(name, [region], why, owner):
            return False
        return self._erase_now(name, instance.uuid, [region], why, region.id)

    def _erase(self, host: str, owner: str, regions: list[host_status.Region]) -> bool:
        with owner_locks.held_at_once(owner) as held:
            if not held:
                return False
            # What an earlier process began for an owner, nobody goes on with.
            leftover = owner in self._owners_at_start and not background.burns.begun(owner)
            verdict = needs.of_owner(owner, host, leftover, [region.id for region in regions])
            if verdict.doubt is not None:
                self._keep(owner, regions, verdict.doubt)
            if verdict.orphan is None:
                return False
            if verdict.no_instance and claims.may_have_region_here(owner):
                self.claimed.update(region.id for region in regions)
                return False
            if not self._is_without_guest(owner, regions, verdict.orphan, owner):
                return False
            return self._erase_now(owner, owner, regions, verdict.orphan)

    def _is_without_guest(
        self, name: str, regions: list[host_status.Region], why: str, owner: str | None
    ) -> bool:
        """Whether the virt driver says that no guest has the regions' nodes, or is the owner's."""
        nodes = frozenset(itertools.chain(*(region.paths for region in regions)))
        try:
            holders = guests.machine.with_nodes(nodes, owner)
        except guests.UnknownError as e:
            doubt = str(e)
        else:
            if not holders:
                return True
            doubt = f"guest {', '.join(sorted(guest.name for guest in holders))} has it"
        self._keep(name, regions, f"{why}, but {doubt}")
        return False

    def _keep(self, name: str, regions: list[host_status.Region], why: str) -> None:
        self.stray.update(region.id for region in regions)
        self._retries.say(name, f"{_name(regions)} is kept: {why}")

    def _erase_now(
        self,
        name: str,
        owner: str,
        regions: list[host_status.Region],
        why: str,
        region_id: str | None = None,
    ) -> bool:
        """Erase all that an owner holds, or one region of it; until it is, nobody else gets it."""
        ids = {region.id for region in regions}
        self.stray |= ids
        if not self._retries.due(name):
            return False
        try:
            client.erase(owner, region_id)
        except errors.CliError as e:
            words = f"{_name(regions)} is not erased, though {why}: {e}"
            self._retries.failed(name, words, instance_uuid=owner)
            return False
        self._retries.done(name)
        self.stray -= ids
        LOG.warning("%s erased: %s", _name(regions), why, instance_uuid=owner)
        return True

    def _release(self, region: host_status.Region) -> bool:
        """Try once more to erase a region that is in quarantine because it did not erase."""
        if not self._retries.due(region.id):
            return False
        try:
            client.release(region.id)
        except errors.CliError as e:
            words = f"{_name([region])} stays in quarantine, because it does not erase: {e}"
            self._retries.failed(region.id, words)
            return False
        self._retries.done(region.id)
        LOG.warning("%s has erased at last and is out of quarantine", _name([region]))
        return True


def owned_by_nobody_here(
    status: host_status.Status, instances: typing.Container[str]
) -> dict[str, list[host_status.Region]]:
    """The regions, by owner, whose owner is no instance of this host; none that is worked on."""
    orphans: dict[str, list[host_status.Region]] = {}
    for region in status.regions:
        if region.settled and region.owner and region.owner not in instances:
            orphans.setdefault(region.owner, []).append(region)
    return orphans


def _may_be_released(region: host_status.Region) -> bool:
    """Whether it is in quarantine only because it did not erase, and no guest may have it."""
    return region.quarantine == host_status.NOT_ERASED and region.handed_out is None


def _free_cards(instance: "objects.Instance", regions: dict[int, host_status.Region]) -> list[str]:
    """The cards that Placement chose for what the instance does not hold."""
    context = nova_context.get_admin_context()
    return cards.free_of(cards.of_allocation(context, instance.uuid), regions)


def _name(regions: list[host_status.Region]) -> str:
    return f"FPGA region {' and '.join(region.id for region in regions)}"


def _needs_mending(
    instance: "objects.Instance", regions: dict[int, host_status.Region], starting: bool
) -> bool:
    if not needs.settled(instance, starting):
        return False
    need = needs.need(instance, regions)
    if need.burns or (need.surplus and not starting):
        return True
    ids = {number: region.id for number, region in regions.items()}
    return columns.differs(instance, ids)
