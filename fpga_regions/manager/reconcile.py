# SPDX-License-Identifier: Apache-2.0
"""Compares what the hardware says with what the ledger says, and settles the differences."""

import collections
import contextlib
import dataclasses
import enum
import typing

from fpga_regions import errors
from fpga_regions.ledger.events import now
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager.manager import Manager
from fpga_regions.model import TRANSIENT, Region, Slot, State
from fpga_regions.system import locks


class Kind(enum.StrEnum):
    """What a difference is."""

    #: A driver found a region that the ledger does not know.
    NEW = "new"
    #: The ledger has a region in use that no driver finds; whether it lost anything is not known.
    GONE = "gone"
    #: The region does not say what it holds.
    SILENT = "silent"
    #: A process died while it worked on the region.
    INTERRUPTED = "interrupted"
    #: The region is free and holds something that it was not kept warm with.
    STRAY = "stray"
    #: The region does not hold any more what its owner burnt: it holds nothing.
    LOST = "lost"
    #: The region is marked as lost and holds what its owner burnt all the same.
    FOUND = "found"
    #: The region holds something else than its owner burnt.
    FOREIGN = "foreign"


class Outcome(enum.Enum):
    """What became of a difference: it decides the exit status of the command."""

    #: Nothing was done about it.
    OPEN = enum.auto()
    SETTLED = enum.auto()
    #: The region did not erase.
    QUARANTINED = enum.auto()


@dataclasses.dataclass
class Difference:
    """One thing in which hardware and ledger do not agree.

    :param device: the card
    :param index: which region of the card
    :param region_id: None for a region that the ledger does not know
    :param ledger: what the ledger says, in words
    :param hardware: what the hardware says, in words
    :param done: what was done about it, in words; None for nothing
    """

    kind: Kind
    device: str
    index: int
    region_id: str | None
    ledger: str
    hardware: str
    done: str | None = None
    outcome: Outcome = Outcome.OPEN

    @property
    def quarantined(self) -> bool:
        """Whether the region came into quarantine by what was done."""
        return self.outcome is Outcome.QUARANTINED

    def end(self, outcome: Outcome, done: str) -> None:
        """Write down what became of it.

        :param done: the same in words
        """
        self.outcome, self.done = outcome, done


class Reconciler:
    """Finds differences, and settles them if it is to.

    A region on which another process is at work is left out: while that lasts, nothing can be said
    of it.

    :param fix: whether to settle what is found
    """

    def __init__(self, ledger: Ledger, manager: Manager, fix: bool) -> None:
        self._ledger = ledger
        self._manager = manager
        self._fix = fix

    def run(self) -> list[Difference]:
        """The differences, each with what was done about it.

        :raises errors.NotAccessible: the hardware cannot be asked
        :raises errors.LedgerUnusable: the ledger cannot be read or written
        """
        slots = self._manager.slots()
        found = self._new(slots)
        present = {_place(slot) for slot in slots}
        for region in self._ledger.on_record():
            with contextlib.suppress(locks.NotLocked), self._locked(region) as seen:
                difference = self._compare(seen, _place(seen.slot) in present)
                if difference is not None:
                    found.append(difference)
        return found

    @contextlib.contextmanager
    def _locked(self, region: Region) -> typing.Iterator[Region]:
        with locks.held(self._ledger.lock_path(region.id)):
            yield self._manager.known(region.id)

    def _new(self, slots: list[Slot]) -> list[Difference]:
        known = {_place(region.slot) for region in self._ledger.on_record()}
        found = [
            Difference(Kind.NEW, slot.device, slot.index, None, "unknown", "there")
            for slot in slots
            if _place(slot) not in known
        ]
        if self._fix:
            self._ledger.register(slots)
            for difference in found:
                difference.end(Outcome.SETTLED, "written down")
        return found

    def _compare(self, region: Region, present: bool) -> Difference | None:
        if not present:
            return self._gone(region)
        if region.state in TRANSIENT:
            return self._cleared(
                _difference(Kind.INTERRUPTED, region, "nobody is at work on it"),
                region,
                "finished what a process that died had begun",
            )
        try:
            if region.state == State.FREE:
                return self._stray(region)
            if region.state == State.PROGRAMMED:
                return self._programmed(region)
        except errors.NoAnswer as e:
            if region.state == State.FREE and region.warm is None:
                # Whoever burns it next clears it first, and reads back what it holds then.
                return None
            return _difference(Kind.SILENT, region, f"does not say what it holds: {e.why}")
        return None

    def _gone(self, region: Region) -> Difference | None:
        if region.state in (State.FREE, State.QUARANTINED) or region.lost is not None:
            return None
        return _difference(Kind.GONE, region, "not there")

    def _stray(self, region: Region) -> Difference | None:
        held = self._manager.worker.read_back(region)
        if held is None or (region.warm is not None and held == region.warm.loaded):
            return None
        return self._cleared(
            _difference(Kind.STRAY, region, f"holds {held.function}, {held.digest}"),
            region,
            f"erased: it held {held.function} for nobody",
        )

    def _programmed(self, region: Region) -> Difference | None:
        held = self._manager.worker.read_back(region)
        if held == region.loaded:
            return self._found_again(region) if region.lost else None
        if held is not None:
            return self._cleared(
                _difference(Kind.FOREIGN, region, f"holds {held.function}, {held.digest}"),
                region,
                f"erased: it held {held.function}, which nobody burnt",
            )
        if region.lost is not None:
            return None
        return self._settled(
            _difference(Kind.LOST, region, "holds nothing"),
            lambda: self._mark(region, "it holds nothing"),
        )

    def _found_again(self, region: Region) -> Difference:
        def unmark() -> str:
            self._ledger.move(region, State.PROGRAMMED, "configuration found again")
            return "not marked as lost any more"

        return self._settled(_difference(Kind.FOUND, region, "holds what its owner burnt"), unmark)

    def _settled(self, difference: Difference, settle: typing.Callable[[], str]) -> Difference:
        if self._fix:
            difference.end(Outcome.SETTLED, settle())
        return difference

    def _cleared(self, difference: Difference, region: Region, note: str) -> Difference:
        if not self._fix:
            return difference
        try:
            self._manager.worker.clear(region, note)
        except errors.NotErased as e:
            difference.end(Outcome.QUARANTINED, f"put into quarantine: {e.why}")
        else:
            done = "erased; its owner has it" if region.handed_out else "erased and freed"
            difference.end(Outcome.SETTLED, done)
        return difference

    def _mark(self, region: Region, why: str) -> str:
        self._ledger.move(region, State.PROGRAMMED, f"configuration lost: {why}", lost=now())
        return "marked as lost"


def failure(found: list[Difference]) -> errors.RegionError | None:
    """What the command fails with; None if there is nothing left that differs."""
    counts = collections.Counter(one.outcome for one in found)
    if quarantined := counts[Outcome.QUARANTINED]:
        return errors.NotErased(f"{quarantined} of the regions are in quarantine now")
    if unsettled := counts[Outcome.OPEN]:
        return errors.Differs(f"in {unsettled} of the regions; reconcile --fix settles what it can")
    return None


def _place(slot: Slot) -> tuple[str, str, int]:
    return slot.driver, slot.device, slot.index


def _difference(kind: Kind, region: Region, hardware: str) -> Difference:
    record = region.state.value
    if region.function:
        record += f" with {region.function}, {region.digest}"
    if region.lost:
        record += f", lost since {region.lost}"
    if region.holder:
        record += f", for {region.holder}"
    return Difference(kind, region.slot.device, region.slot.index, region.id, record, hardware)
