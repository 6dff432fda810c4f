# SPDX-License-Identifier: Apache-2.0
"""Burns and erases: brings ledger, drivers and packages together, one region at a time."""

import contextlib
import logging
import typing

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.drivers.api import Driver
from fpga_regions.ledger.ledger import Ledger, OwnerHasRegion
from fpga_regions.manager import dry_run, matching
from fpga_regions.manager.claims import Taker, Wish
from fpga_regions.manager.steps import Worker
from fpga_regions.model import TRANSIENT, Cause, Region, Slot, State
from fpga_regions.package.reader import Package
from fpga_regions.system import locks

_LOG = logging.getLogger(__name__)


class Manager:
    """The regions of one host.

    Each method raises errors.NotAccessible and errors.LedgerUnusable besides what it says.

    :param fetch: gives the package of an image id
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        ledger: Ledger,
        drivers: dict[str, Driver],
        fetch: typing.Callable[[str], Package],
    ) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self._fetch = fetch
        self.worker = Worker(conf, ledger, drivers)
        self._taker = Taker(ledger, self.worker, conf.lock_timeout)

    def refresh(self) -> None:
        """Look which regions there are, and undo what a dead process left undone."""
        self._ledger.register(self.slots())
        for region in self._ledger.regions():
            if region.state in TRANSIENT and region.slot.driver in self._drivers:
                self._recover(region)

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

    def burn(
        self,
        image_id: str,
        owner: str | None = None,
        device: str | None = None,
        number: int = 1,
    ) -> str:
        """Program a region for an owner; at once, and without programming, if it is so already.

        The region that the owner holds by this number is programmed anew, whatever it holds, once
        the package is at hand: a guest of the owner may have its nodes, so nobody else gets it.

        :param number: which of the owner's regions it is to be, one of contract.REGION_NUMBERS
        :returns: the region's id
        :raises errors.RegionError: any of them but UnknownRegion; no region is left claimed. One
            that could not be cleared is in quarantine, and one that the owner had stays the owner's
        """
        return self._burn(Wish(owner, device, number, image_id=image_id))

    def burn_package(
        self,
        package: Package,
        owner: str | None = None,
        device: str | None = None,
        number: int = 1,
    ) -> str:
        """The same with a package that is at hand; the region has no image id then."""
        return self._burn(Wish(owner, device, number, package=package))

    def plan(
        self,
        image_id: str | None,
        package: Package,
        owner: str | None = None,
        device: str | None = None,
        number: int = 1,
    ) -> tuple[list[dry_run.Choice], errors.RegionError | None]:
        """What a burn would make of each region, and what it would fail with, if it would.

        :param image_id: the image that the package was fetched from; None for one from a file
        """
        self.refresh()
        wish = Wish(owner, device, number, image_id, None if image_id else package)
        held = self._ledger.held_as(owner, number) if owner else None
        kept = held is not None and wish.made(held)
        return dry_run.choose(self._ledger.regions(), package, wish, held if kept else None)

    def _burn(self, wish: Wish) -> str:
        self.refresh()
        matching.check_device(self._ledger.regions(), wish.device)
        while True:
            held = self._ledger.held_as(wish.owner, wish.number) if wish.owner else None
            try:
                done = self._burn_new(wish) if held is None else self._burn_held(wish, held)
            except OwnerHasRegion:
                continue
            if done is not None:
                return done

    def erase(self, region_id: str | None, owner: str | None = None) -> None:
        """Erase a region, or all that an owner holds; with both, the region if it is the owner's.

        What the owner does not hold any more is done already. One that fails does not keep the
        others of the owner from being erased; the first failure is raised after that.

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
        with self._taker.locked(self.known(region_id)) as now:
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
        with self._taker.locked(self.known(region_id)) as now:
            if now.state == State.QUARANTINED:
                self.worker.clear(now, "released from quarantine")
            elif now.state != State.FREE:
                raise errors.UnknownRegion(f"it is not in quarantine but {now.state}")

    def _erase(self, region: Region, owner: str | None) -> None:
        with self._taker.locked(region) as now:
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
        failed: dict[str, errors.RegionError] = {}
        while left := [one for one in self._ledger.held_by(owner) if one.id not in failed]:
            try:
                self._erase(left[0], owner)
            except errors.RegionError as e:
                failed[left[0].id] = e
        if failed:
            first, *others = failed.values()
            first.why += f"; so {len(others)} more of the owner's regions" if others else ""
            raise first

    def _recover(self, region: Region) -> None:
        with contextlib.suppress(locks.NotLocked), locks.held(self._ledger.lock_path(region.id)):
            now = self._ledger.region(region.id)
            if now is not None and now.state in TRANSIENT:
                # That it does not erase is in the ledger, and no fault of this command.
                with contextlib.suppress(errors.NotErased):
                    self.worker.clear(now, f"in state '{now.state}' of a process that died")

    def _burn_new(self, wish: Wish) -> str:
        with self._taker.taken(wish, wish.permits) as region:
            package = self._package(wish)
            if matching.fits(region.slot, package):
                with self._taker.warmest(wish, region, package) as chosen:
                    return self.worker.program(chosen, package, wish.image_id)
            fitting = self._fitting(wish, package)
            self._ledger.move(region, State.FREE, "given back: the package is for another")
        with self._taker.taken(wish, fitting, patient=True, package=package) as region:
            return self.worker.program(region, package, wish.image_id)

    def _burn_held(self, wish: Wish, held: Region) -> str | None:
        with self._taker.locked(held) as now:
            if not wish.holds(now):
                return None
            if now.state in TRANSIENT:
                self.worker.clear(now, f"in state '{now.state}' of a process that died")
                return None
            if now.quarantine == Cause.OPERATOR:
                raise errors.NoFreeRegion(
                    f"region {now.id} of {now.holder} is in quarantine ({now.reason}); release it"
                )
            if wish.made(now) and wish.permits(now) and self._answers(now):
                return now.id
            package = self._package(wish)
            self._fitting(wish, package)
            self._see_that_it_takes(now, wish, package)
            if now.state == State.QUARANTINED:
                self.worker.clear(now, "erased: its owner burns it again")
                return None
            with self.worker.undone(now):
                return self.worker.program(now, package, wish.image_id)

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

    def _see_that_it_takes(self, region: Region, wish: Wish, package: Package) -> None:
        """See that a region that a guest may have is one that the burn is for.

        :raises errors.HandedOut: it is not, and must be erased first
        """
        if not (wish.permits(region) and matching.fits(region.slot, package)):
            raise errors.HandedOut(
                f"a guest of {region.holder} may have region {region.id}, which this burn cannot "
                f"use; once no guest has it, erase it first: erase {region.id} --owner "
                f"{region.owner}"
            )

    def _package(self, wish: Wish) -> Package:
        return wish.package or self._fetch(wish.image_id or "")

    def _fitting(self, wish: Wish, package: Package) -> typing.Callable[[Region], bool]:
        """What tells the regions that can hold a package.

        :raises errors.NoMatchingHardware: there is none, used or free
        """

        def fitting(region: Region) -> bool:
            return wish.permits(region) and matching.fits(region.slot, package)

        known = self._ledger.regions()
        if not any(fitting(region) for region in known):
            raise matching.nothing_fits((r.slot for r in known if wish.permits(r)), package)
        return fitting
