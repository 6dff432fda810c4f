# SPDX-License-Identifier: Apache-2.0
"""Finds the region of a claim and locks it: the one that its owner holds, or a free one."""

import contextlib
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.ledger.ledger import Ledger, NotFree, OwnerHasRegion
from fpga_regions.manager import matching
from fpga_regions.manager.bitstreams import Bitstream
from fpga_regions.manager.steps import Worker
from fpga_regions.model import TRANSIENT, Claim, Region, State
from fpga_regions.system import locks


class Claims:
    """Gives regions out, one at a time each.

    :param timeout: seconds to wait for a region on which another process is at work
    """

    def __init__(self, ledger: Ledger, worker: Worker, timeout: int) -> None:
        self._ledger = ledger
        self._worker = worker
        self._timeout = timeout

    @contextlib.contextmanager
    def region(self, claim: Claim, bitstream: Bitstream) -> typing.Iterator[Region]:
        """Hold, locked, the region that the owner holds by this number, or else a free one.

        One that was free is in state REQUESTED then, and the caller programs it or gives it back.
        The package is fetched before that: nothing is claimed while a download lasts. If the owner
        got a region meanwhile, by another burn, a guest may have it: it is given for the same
        bitstream only.

        :raises errors.NoFreeRegion, errors.NoMatchingHardware: there is none for the bitstream
        :raises errors.HandedOut: another burn was faster, with another bitstream
        :raises errors.TimedOut: another process is at work on it and does not end
        :raises errors.RegionError: the package cannot be fetched
        """
        regions = self._ledger.regions()
        new = not any(claim.holds(region) for region in regions)
        if new:
            permitted = self._permitted(regions, claim)
            # A host that is full downloads nothing.
            matching.check_free(permitted)
            matching.fitting(permitted, bitstream.package)
            # Processes may have died during the download.
            self.recover()
        deadline = Deadline(self._timeout)
        with contextlib.ExitStack() as lock:
            # None where others were faster: what they did is in the ledger, so look again.
            while (region := self._find(lock, claim, bitstream, deadline)) is None:
                pass
            if new and region.state != State.REQUESTED and not bitstream.is_in(region):
                raise errors.HandedOut(
                    f"while this burn fetched its image, another one gave {region.holder} region "
                    f"{region.id}; a guest may have it, so nothing was changed"
                )
            yield region

    def hold(self, claim: Claim, board: str | None) -> Region:
        """Give the owner a region, erased and not programmed: the one that it holds, or a free one.

        :param board: the board that the card must be; None for any
        :raises errors.NoFreeRegion, errors.NoMatchingHardware: there is none
        :raises errors.HandedOut: it holds one by this number that is not what it asks for
        :raises errors.TimedOut: other processes are at work on the free ones and do not end
        """
        deadline = Deadline(self._timeout)
        # None where others were faster.
        while (region := self._hold(claim, board, deadline)) is None:
            pass
        return region

    def recover(self) -> None:
        """Undo what dead processes left undone in the regions whose drivers are configured."""
        for region in self._ledger.regions():
            if region.state in TRANSIENT and self._worker.drives(region):
                self._recover(region)

    def _recover(self, region: Region) -> None:
        with contextlib.suppress(locks.NotLocked), locks.held(self._ledger.lock_path(region.id)):
            now = self._ledger.region(region.id)
            if now is not None and now.state in TRANSIENT:
                # That it does not erase is in the ledger, and no fault of this command.
                with contextlib.suppress(errors.NotErased):
                    self._worker.clear(now, f"in state '{now.state}' of a process that died")

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

    def _hold(self, claim: Claim, board: str | None, deadline: Deadline) -> Region | None:
        permitted = [
            region
            for region in self._permitted(self._ledger.regions(), claim)
            if board in (None, region.slot.board)
        ]
        if (held := self._ledger.held_for(claim)) is not None:
            with contextlib.ExitStack() as lock:
                return self._lock_held(lock, claim, _suitable(held, permitted))
        if not permitted:
            raise errors.NoMatchingHardware(f"no matching hardware found: here is no board {board}")
        matching.check_free(permitted)
        for region in sorted(matching.all_free(permitted), key=lambda one: one.warm is not None):
            with contextlib.ExitStack() as lock, contextlib.suppress(errors.NotErased, NotFree):
                try:
                    self._lock_free(lock, region, deadline)
                    self._empty(region)
                    return self._ledger.hold(region.id, claim)
                except locks.NotLocked:
                    continue
                except OwnerHasRegion:
                    return None
        if deadline.passed:
            raise self._too_long()
        return None

    def _empty(self, region: Region) -> None:
        """Erase a free region that holds something; one that does not erase is in quarantine."""
        now = self._ledger.region(region.id)
        if now is not None and now.state == State.FREE and not self._worker.is_empty(now):
            self._worker.clear(now, "erased for a claim")

    def _find(
        self,
        lock: contextlib.ExitStack,
        claim: Claim,
        bitstream: Bitstream,
        deadline: Deadline,
    ) -> Region | None:
        regions = self._ledger.regions()
        held = next((region for region in regions if claim.holds(region)), None)
        if held is not None:
            return self._lock_held(lock, claim, held)
        fitting = matching.fitting(self._permitted(regions, claim), bitstream.package)
        matching.check_free(fitting)
        return self._claim_one(lock, claim, bitstream, fitting, deadline)

    def _lock_held(self, lock: contextlib.ExitStack, claim: Claim, held: Region) -> Region | None:
        """The region that the owner holds, at rest; None if it is not the owner's any more."""
        region = lock.enter_context(self.locked(held))
        if claim.holds(region) and region.state in TRANSIENT:
            note = f"in state '{region.state}' of a process that died"
            region = self._worker.clear(region, note)
        if claim.holds(region):
            return region
        lock.close()
        return None

    def _claim_one(
        self,
        lock: contextlib.ExitStack,
        claim: Claim,
        bitstream: Bitstream,
        regions: list[Region],
        deadline: Deadline,
    ) -> Region | None:
        """Claim the best of the free regions; None if others claimed them all meanwhile."""
        for region in matching.free(regions, bitstream.package):
            try:
                self._lock_free(lock, region, deadline)
                return self._ledger.claim(region.id, claim, bitstream.image_id)
            except (locks.NotLocked, NotFree):
                lock.close()
            except OwnerHasRegion:
                lock.close()
                return None
        if deadline.passed:
            raise self._too_long()
        return None

    def _lock_free(self, lock: contextlib.ExitStack, region: Region, deadline: Deadline) -> None:
        def still_free() -> bool:
            now = self._ledger.region(region.id)
            return now is not None and now.state == State.FREE

        lock.enter_context(locks.held(self._ledger.lock_path(region.id), deadline, still_free))

    def _permitted(self, regions: list[Region], claim: Claim) -> list[Region]:
        return [region for region in regions if claim.permits(region)]

    def _too_long(self) -> errors.TimedOut:
        return errors.TimedOut(
            "another fpga-cli has been at work on the region for more than "
            f"{self._timeout} seconds (lock_timeout)"
        )


def _suitable(held: Region, permitted: list[Region]) -> Region:
    """The region that an owner holds, if it is one of those that it asks for, and usable."""
    if held.state == State.QUARANTINED:
        raise errors.NoFreeRegion(
            f"region {held.id} of {held.holder} is in quarantine ({held.reason})"
        )
    if held.id not in {region.id for region in permitted}:
        raise errors.HandedOut(
            f"{held.holder} holds region {held.id}, which is not what is asked for; erase it first"
        )
    return held
