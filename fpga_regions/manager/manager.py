# SPDX-License-Identifier: Apache-2.0
"""Burns and erases: brings ledger, drivers and packages together, one region at a time."""

import logging

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.drivers.api import Driver
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import dry_run, matching
from fpga_regions.manager.bitstreams import Bitstream
from fpga_regions.manager.claims import Claims
from fpga_regions.manager.replacement import Finder, Outcome, Replacement
from fpga_regions.manager.steps import Worker
from fpga_regions.model import Cause, Claim, Region, Slot, State
from fpga_regions.package.reader import Package

_LOG = logging.getLogger(__name__)


class Manager:
    """The regions of one host.

    Each method raises errors.NotAccessible and errors.LedgerUnusable besides what it says.
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        ledger: Ledger,
        drivers: dict[str, Driver],
    ) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self.worker = Worker(conf, ledger, drivers)
        self._claims = Claims(ledger, self.worker, conf.lock_timeout)

    def refresh(self) -> None:
        """Look which regions there are, and undo what a dead process left undone."""
        self._ledger.register(self.slots())
        self._claims.recover()

    def slots(self) -> list[Slot]:
        """The regions that the drivers find; a driver that finds none hides no other's.

        :raises errors.NotAccessible: no driver finds any, and one of them cannot tell
        """
        found: list[Slot] = []
        silent: list[errors.NotAccessible] = []
        for driver in self._drivers.values():
            try:
                found += driver.discover()
            except errors.NotAccessible as e:
                _LOG.warning("%s", e)
                silent.append(e)
        if silent and not found:
            raise silent[0]
        return found

    def regions(self) -> list[tuple[Region, bool | None]]:
        """All regions, each with whether it answers as programmed; None if it is not programmed."""
        self.refresh()
        return [
            (self.worker.as_it_is(region), self.worker.healthy(region))
            for region in self._ledger.regions()
        ]

    def known(self, region_id: str) -> Region:
        """A region by its id.

        :raises errors.UnknownRegion: there is none
        """
        region = self._ledger.region(region_id)
        if region is None:
            raise errors.UnknownRegion("unknown region")
        return region

    def burn(self, bitstream: Bitstream, claim: Claim) -> str:
        """Program a region for an owner; at once, and without programming, if it is so already.

        The region that the owner holds by this number is programmed anew, whatever it holds, once
        the package is at hand: a guest of the owner may have its nodes, so nobody else gets it.

        :returns: the region's id
        :raises errors.RegionError: any of them but UnknownRegion; no region is left claimed. One
            that could not be cleared is in quarantine, and one that the owner had stays the owner's
        """
        self.refresh()
        matching.check_device(self._ledger.regions(), claim.device)
        with self._claims.region(claim, bitstream) as region:
            if region.state != State.REQUESTED:
                return self._burn_again(region, bitstream, claim)
            with self.worker.undone(region):
                return self.worker.program(region, bitstream)

    def hold(self, claim: Claim, board: str | None = None) -> str:
        """Hold a region for an owner without programming it; the one that it holds already.

        :returns: the region's id
        :raises errors.RegionError: see `Claims.hold`
        """
        self.refresh()
        matching.check_device(self._ledger.regions(), claim.device)
        return self._claims.hold(claim, board).id

    def replace(
        self,
        region_id: str,
        owner: str,
        bitstream: Bitstream,
        find: Finder,
        same_nodes: bool = False,
    ) -> Outcome:
        """Put another bitstream into a region of an owner, in place; see `Replacement`."""
        self.refresh()
        work = Replacement(self._ledger, self.worker, self._claims, find)
        return work.replace(region_id, owner, bitstream, same_nodes)

    def plan(
        self, bitstream: Bitstream, claim: Claim
    ) -> tuple[list[dry_run.Choice], errors.RegionError | None]:
        """What a burn would make of each region, and what it would fail with, if it would."""
        self.refresh()
        return dry_run.choose(self._ledger.regions(), bitstream, claim)

    def disconnect(self, owner: str) -> list[str]:
        """Close the connections that a guest has to the sockets of an owner's regions.

        No lock is held and nothing is undone: it must not wait for what else is at work.

        :returns: the ids of the regions without connections; others have a driver that closes none
        :raises errors.NoAnswer: one does not say so; the others were asked all the same
        """
        closed, silent = [], []
        for region in self._ledger.held_by(owner):
            driver = self._drivers.get(region.slot.driver)
            try:
                if region.state == State.PROGRAMMED and driver and driver.disconnect(region):
                    closed.append(region.id)
            except errors.NoAnswer as e:
                silent.append(errors.NoAnswer(f"region {region.id}: {e.why}"))
        if silent:
            raise silent[0]
        return closed

    def erase(self, region_id: str | None, owner: str | None = None) -> None:
        """Erase a region, or all that an owner holds; with both, the region if it is the owner's.

        Nothing changes where the owner has released the region already. One that fails does not
        keep the others of the owner from being erased; the first failure is raised after that.

        Whoever names the owner reports with it that no guest has the nodes any more. What an
        operator put into quarantine stays there, without an owner.

        :raises errors.UnknownRegion: there is none of this id, or the owner never had it
        :raises errors.HandedOut: a guest may have it, and its owner is not named
        :raises errors.NotErased: it is in quarantine now
        :raises errors.TimedOut: another process is at work on it and does not end
        """
        self.refresh()
        if region_id is not None:
            self._erase(self.known(region_id), owner)
        elif owner is not None:
            self._erase_all(owner)

    def quarantine(self, region_id: str, reason: str) -> None:
        """Take a region out of use until it is released; what it holds is erased, whosever it is.

        It stays its owner's where a guest may have its nodes.

        :param reason: for the ledger
        :raises errors.UnknownRegion: there is none of this id
        :raises errors.NotErased: it is in quarantine and not erased
        :raises errors.TimedOut: another process is at work on it and does not end
        """
        self.refresh()
        with self._claims.locked(self.known(region_id)) as now:
            if now.state in (State.FREE, State.QUARANTINED) and now.warm is None:
                self._ledger.move(now, State.QUARANTINED, reason, Cause.OPERATOR)
            else:
                self.worker.clear(now, reason, State.QUARANTINED)

    def release(self, region_id: str) -> None:
        """Erase a region that is in quarantine, and free it; one that is free is so already.

        A region that a guest may have goes back to its owner, marked as lost: it is free only once
        that owner's regions are erased.

        :raises errors.UnknownRegion: there is none of this id, or it is not in quarantine
        :raises errors.NotErased: it stays in quarantine
        :raises errors.TimedOut: another process is at work on it and does not end
        """
        self.refresh()
        with self._claims.locked(self.known(region_id)) as now:
            if now.state == State.QUARANTINED:
                self.worker.clear(now, "released from quarantine")
            elif now.state != State.FREE:
                raise errors.UnknownRegion(f"it is not in quarantine but {now.state}")

    def _erase(self, region: Region, owner: str | None) -> None:
        with self._claims.locked(region) as now:
            if owner is not None and now.owner != owner:
                if self._ledger.had(owner, now.id):
                    return
                raise errors.UnknownRegion(f"owner {owner} has no such region")
            if owner is None and now.handed_out:
                raise errors.HandedOut(
                    f"a guest of {now.owner} may have it; once none has, name the owner: "
                    f"erase {now.id} --owner {now.owner}"
                )
            if owner is not None and now.quarantine == Cause.OPERATOR:
                note = "its owner has no use for it any more"
                self._ledger.move(now, State.QUARANTINED, note, Cause.OPERATOR, returned=True)
            elif now.state == State.PROGRAMMED:
                self.worker.put_away(now, "erased")
            elif now.state != State.FREE or now.warm is not None:
                self.worker.clear(now, "erased", returned=True)

    def _erase_all(self, owner: str) -> None:
        failures: dict[str, errors.RegionError] = {}
        while remaining := [one for one in self._ledger.held_by(owner) if one.id not in failures]:
            region = remaining[0]
            try:
                self._erase(region, owner)
            except errors.RegionError as e:
                failures[region.id] = e
        if failures:
            first, *others = failures.values()
            first.why += f"; so {len(others)} more of the owner's regions" if others else ""
            raise first

    def _burn_again(self, region: Region, bitstream: Bitstream, claim: Claim) -> str:
        """Burn the region that the owner holds by the number of the claim."""
        if region.quarantine == Cause.OPERATOR:
            raise errors.NoFreeRegion(
                f"region {region.id} of {region.holder} is in quarantine ({region.reason}); "
                "release it"
            )
        if bitstream.is_in(region) and claim.permits(region) and self._answers(region):
            return region.id
        self._check_suitable(region, bitstream.package, claim)
        if region.state == State.QUARANTINED:
            region = self.worker.clear(region, "erased: its owner burns it again")
        with self.worker.undone(region):
            return self.worker.program(region, bitstream)

    def _answers(self, region: Region) -> bool:
        """Whether a region holds what it was programmed with.

        :raises errors.NoAnswer: it does not say; nothing may be done to it then
        """
        healthy = self.worker.healthy(region)
        if healthy is None and region.state == State.PROGRAMMED:
            raise errors.NoAnswer(
                f"region {region.id} of {region.holder} does not say what it holds; "
                "nothing was changed: see what its card's tool reports"
            )
        return bool(healthy)

    def _check_suitable(self, region: Region, package: Package, claim: Claim) -> None:
        """See that a region that a guest may have is one that the burn is for.

        :raises errors.NoMatchingHardware: no region of this host is
        :raises errors.HandedOut: it is not, and must be erased first
        """
        fitting = matching.fitting(
            [one for one in self._ledger.regions() if claim.permits(one)], package
        )
        if region.id not in {one.id for one in fitting}:
            raise errors.HandedOut(
                f"a guest of {region.holder} may have region {region.id}, which this burn cannot "
                f"use; once no guest has it, erase it first: erase {region.id} --owner "
                f"{region.owner}"
            )
