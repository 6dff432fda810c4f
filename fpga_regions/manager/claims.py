# SPDX-License-Identifier: Apache-2.0
"""Takes regions: finds one that is free, locks it, and gives it back if its use fails."""

import contextlib
import dataclasses
import time
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.ledger.ledger import Ledger, NotFree
from fpga_regions.manager import matching
from fpga_regions.manager.steps import Worker
from fpga_regions.model import Region, State
from fpga_regions.package.reader import Package
from fpga_regions.system import locks

_PAUSE = 0.05  # seconds between two looks at regions that others may give back


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a burn was asked for: an image or a package that is at hand, one of the two.

    :param device: the card that it must be; None for any
    :param number: which of the owner's regions it is to be; of no meaning without an owner
    """

    owner: str | None
    device: str | None
    number: int = 1
    image_id: str | None = None
    package: Package | None = None

    def permits(self, region: Region) -> bool:
        """Whether the region is on a card that was asked for."""
        return self.device in (None, region.slot.device)

    def holds(self, region: Region) -> bool:
        """Whether the region is the one that the owner holds by this number."""
        return self.owner is not None and (region.owner, region.number) == (self.owner, self.number)

    def made(self, region: Region) -> bool:
        """Whether a region is on record as burnt with the very same."""
        if self.package is None:
            return region.image_id == self.image_id
        nodes = [(node.kind, node.name) for node in region.nodes]
        return (
            region.image_id is None
            and region.loaded == self.package.loaded
            and nodes == [(one.kind, one.name) for one in self.package.manifest.exposes]
        )


class Taker:
    """Gives regions out, one at a time each.

    :param timeout: seconds to wait for a region on which another process is at work
    """

    def __init__(self, ledger: Ledger, worker: Worker, timeout: int) -> None:
        self._ledger = ledger
        self._worker = worker
        self._timeout = timeout

    @contextlib.contextmanager
    def taken(
        self,
        wish: Wish,
        fitting: typing.Callable[[Region], bool],
        patient: bool = False,
        package: Package | None = None,
    ) -> typing.Iterator[Region]:
        """Hold a region, locked and claimed; an exception in the block undoes what was done to it.

        :param patient: wait for regions that others have claimed and may give back
        :param package: what the wish is for, once it is at hand
        """

        def order(region: Region) -> int:
            return matching.order(region, wish.image_id, package or wish.package)

        with contextlib.ExitStack() as lock:
            region = self._take(lock, wish, fitting, patient, order)
            with self._worker.undone(region):
                yield region

    @contextlib.contextmanager
    def warmest(self, wish: Wish, region: Region, package: Package) -> typing.Iterator[Region]:
        """Hold, in place of a claimed region, one that is kept warm with the package, if it can be.

        Which one that is can only be told once the package is at hand.
        """
        with contextlib.ExitStack() as lock:
            other = self._swap(lock, wish, region, package)
            if other is None:
                yield region
                return
            with self._worker.undone(other):
                yield other

    def _take(
        self,
        lock: contextlib.ExitStack,
        wish: Wish,
        fitting: typing.Callable[[Region], bool],
        patient: bool,
        order: typing.Callable[[Region], int],
    ) -> Region:
        deadline = Deadline(self._timeout)
        while True:
            regions = [region for region in self._ledger.regions() if fitting(region)]
            free = sorted((one for one in regions if one.state == State.FREE), key=order)
            for region in free:
                claimed = self._try_to_take(lock, wish, region, deadline)
                if claimed is not None:
                    return claimed
            others = [region for region in regions if region.state == State.FETCHING]
            if not free and not (patient and others):
                raise matching.none_free(regions)
            if deadline.passed:
                raise self._too_long()
            time.sleep(_PAUSE)

    def _try_to_take(
        self, lock: contextlib.ExitStack, wish: Wish, region: Region, deadline: Deadline
    ) -> Region | None:
        def still_free() -> bool:
            now = self._ledger.region(region.id)
            return now is not None and now.state == State.FREE

        try:
            lock.enter_context(locks.held(self._ledger.lock_path(region.id), deadline, still_free))
            return self._ledger.claim(region.id, wish.owner, wish.image_id, wish.number)
        except (locks.NotLocked, NotFree):
            lock.close()
            return None

    def _swap(
        self, lock: contextlib.ExitStack, wish: Wish, region: Region, package: Package
    ) -> Region | None:
        regions = [] if self._worker.keeps(region, package) else self._ledger.regions()
        for other in regions:
            if not (wish.permits(other) and self._worker.keeps(other, package)):
                continue
            note = "given back: another one holds the package"
            try:
                lock.enter_context(locks.held(self._ledger.lock_path(other.id)))
                return self._ledger.exchange(region, other.id, note)
            except (locks.NotLocked, NotFree):
                lock.close()
        return None

    @contextlib.contextmanager
    def locked(self, region: Region) -> typing.Iterator[Region]:
        """Hold the lock of a region; gives what the ledger says of it from then on."""
        deadline = Deadline(self._timeout)
        with contextlib.ExitStack() as lock:
            try:
                lock.enter_context(locks.held(self._ledger.lock_path(region.id), deadline))
            except locks.NotLocked:
                raise self._too_long() from None
            yield self._ledger.region(region.id) or region

    def _too_long(self) -> errors.TimedOut:
        return errors.TimedOut(
            "another fpga-cli has been at work on the region for more than "
            f"{self._timeout} seconds (lock_timeout)"
        )
