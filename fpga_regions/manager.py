# SPDX-License-Identifier: Apache-2.0
"""Burns and erases: brings ledger, drivers and packages together, one region at a time."""

import contextlib
import dataclasses
import time
import typing

from oslo_config import cfg

from fpga_regions import errors, locks, matching
from fpga_regions.drivers.base import Driver
from fpga_regions.ledger import Ledger, NotFree, OwnerHasRegion
from fpga_regions.model import TRANSIENT, Region, State
from fpga_regions.packages import Package
from fpga_regions.worker import Worker

_PAUSE = 0.05  # seconds between two looks at regions that others may give back


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a burn was asked for.

    :param device: the card that it must be; None for any
    """

    image_id: str
    owner: str | None
    device: str | None

    def permits(self, region: Region) -> bool:
        """Whether the region is on a card that was asked for."""
        return self.device in (None, region.slot.device)


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
        self._conf = conf
        self._ledger = ledger
        self._drivers = drivers
        self._fetch = fetch
        self._worker = Worker(conf, ledger, drivers)

    def refresh(self) -> None:
        """Look which regions there are, and undo what a dead process left undone."""
        self._ledger.register([s for driver in self._drivers.values() for s in driver.discover()])
        for region in self._ledger.regions():
            if region.state in TRANSIENT and region.slot.driver in self._drivers:
                self._recover(region)

    def regions(self) -> list[tuple[Region, bool | None]]:
        """All regions, each with whether it answers as programmed; None if it is not programmed."""
        self.refresh()
        return [(region, self._worker.healthy(region)) for region in self._ledger.regions()]

    def burn(self, image_id: str, owner: str | None = None, device: str | None = None) -> str:
        """Program a region for an owner; at once, and without programming, if it is so already.

        What the owner holds otherwise is erased first, once the new package is at hand.

        :returns: the region's id
        :raises errors.RegionError: any of them but UnknownRegion; no region is left claimed, but
            one that could not be cleared is in quarantine
        """
        self.refresh()
        wish = Wish(image_id, owner, device)
        known = self._ledger.regions()
        if not any(wish.permits(region) for region in known):
            cards = ", ".join(sorted({region.slot.device for region in known})) or "none"
            raise errors.NoMatchingHardware(
                f"no matching hardware found: no device {device}; here is {cards}"
            )
        while True:
            held = self._ledger.held_by(owner) if owner else None
            try:
                done = self._burn_new(wish) if held is None else self._burn_held(wish, held)
            except OwnerHasRegion:
                continue
            if done is not None:
                return done

    def erase(self, region_id: str | None, owner: str | None = None) -> None:
        """Erase a region, or whatever an owner holds; with both, the region if it is the owner's.

        What the owner does not hold any more is done already.

        :raises errors.UnknownRegion: there is none of this id, or the owner never had it
        :raises errors.NotErased: it is in quarantine now
        :raises errors.TimedOut: another process is at work on it and does not end
        """
        self.refresh()
        if region_id is not None:
            region = self._ledger.region(region_id)
            if region is None:
                raise errors.UnknownRegion("unknown region")
            self._erase(region, owner)
        elif owner is not None:
            while (region := self._ledger.held_by(owner)) is not None:
                self._erase(region, owner)

    def _erase(self, region: Region, owner: str | None) -> None:
        with self._locked(region) as now:
            if owner is not None and now.owner != owner:
                if self._ledger.had(owner, now.id):
                    return
                raise errors.UnknownRegion(f"owner {owner} has no such region")
            if now.state != State.FREE:
                self._worker.clear(now, "erased")

    def _recover(self, region: Region) -> None:
        with contextlib.suppress(locks.NotLocked), locks.held(self._ledger.lock_path(region.id)):
            now = self._ledger.region(region.id)
            if now is not None and now.state in TRANSIENT:
                # That it does not erase is in the ledger, and no fault of this command.
                with contextlib.suppress(errors.NotErased):
                    self._worker.clear(now, f"in state '{now.state}' of a process that died")

    def _burn_new(self, wish: Wish) -> str:
        with self._taken(wish, wish.permits) as region:
            package = self._fetch(wish.image_id)
            if matching.fits(region.slot, package):
                return self._worker.program(region, package)
            fitting = self._fitting(wish, package)
            self._ledger.move(region, State.FREE, "given back: the package is for another")
        with self._taken(wish, fitting, patient=True) as region:
            return self._worker.program(region, package)

    def _burn_held(self, wish: Wish, held: Region) -> str | None:
        with self._locked(held) as now:
            if now.owner != wish.owner:
                return None
            if now.state in TRANSIENT:
                self._worker.clear(now, f"in state '{now.state}' of a process that died")
                return None
            same = now.image_id == wish.image_id and wish.permits(now)
            if same and self._worker.healthy(now):
                return now.id
            package = self._fetch(wish.image_id)
            fitting = self._fitting(wish, package)
            if same and fitting(now):
                with self._worker.undone(now):
                    return self._worker.program(now, package)
            self._worker.clear(now, "erased: its owner burns another image")
        with self._taken(wish, fitting) as region:
            return self._worker.program(region, package)

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

    @contextlib.contextmanager
    def _taken(
        self, wish: Wish, fitting: typing.Callable[[Region], bool], patient: bool = False
    ) -> typing.Iterator[Region]:
        """Hold a region, locked and claimed; an exception in the block undoes what was done to it.

        :param patient: wait for regions that others have claimed and may give back
        """
        with contextlib.ExitStack() as lock:
            region = self._take(lock, wish, fitting, patient)
            with self._worker.undone(region):
                yield region

    def _take(
        self,
        lock: contextlib.ExitStack,
        wish: Wish,
        fitting: typing.Callable[[Region], bool],
        patient: bool,
    ) -> Region:
        deadline = locks.Deadline(self._conf.lock_timeout)
        while True:
            regions = [region for region in self._ledger.regions() if fitting(region)]
            free = [region for region in regions if region.state == State.FREE]
            for region in free:
                claimed = self._try_to_take(lock, wish, region, deadline)
                if claimed is not None:
                    return claimed
            others = [region for region in regions if region.state == State.FETCHING]
            if not free and not (patient and others):
                raise _none_free(regions)
            if deadline.passed:
                raise self._too_long()
            time.sleep(_PAUSE)

    def _try_to_take(
        self, lock: contextlib.ExitStack, wish: Wish, region: Region, deadline: locks.Deadline
    ) -> Region | None:
        def still_free() -> bool:
            now = self._ledger.region(region.id)
            return now is not None and now.state == State.FREE

        try:
            lock.enter_context(locks.held(self._ledger.lock_path(region.id), deadline, still_free))
            return self._ledger.claim(region.id, wish.owner, wish.image_id)
        except (locks.NotLocked, NotFree):
            lock.close()
            return None

    @contextlib.contextmanager
    def _locked(self, region: Region) -> typing.Iterator[Region]:
        """Hold the lock of a region; gives what the ledger says of it from then on."""
        deadline = locks.Deadline(self._conf.lock_timeout)
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(locks.held(self._ledger.lock_path(region.id), deadline))
            except locks.NotLocked:
                raise self._too_long() from None
            yield self._ledger.region(region.id) or region

    def _too_long(self) -> errors.TimedOut:
        return errors.TimedOut(
            "another fpga-cli has been at work on the region for more than "
            f"{self._conf.lock_timeout} seconds (lock_timeout)"
        )


def _none_free(regions: list[Region]) -> errors.NoFreeRegion:
    out = sum(region.state == State.QUARANTINED for region in regions)
    note = f", {out} of them in quarantine" if out else ""
    return errors.NoFreeRegion(f"no free region: all {len(regions)} that match are taken{note}")
