# SPDX-License-Identifier: Apache-2.0
"""The ledger: which regions this host has, who holds each of them and what is done to it now.

Every transition is one transaction on disk before the next step is made.
"""

import contextlib
import typing
import uuid
from pathlib import Path

from fpga_regions import errors
from fpga_regions.ledger import rows
from fpga_regions.ledger.database import Database
from fpga_regions.ledger.events import History, now
from fpga_regions.model import Cause, Claim, Event, Region, Slot, State, Warm

FILE = "ledger.sqlite3"
LOCKS = "locks"

_NEXT = {
    State.FREE: {State.REQUESTED, State.CLAIMED, State.ERASING, State.QUARANTINED},
    State.REQUESTED: {State.PROGRAMMING, State.ERASING, State.FREE},
    # Programming is tried again; a programmed region is marked as lost.
    State.PROGRAMMING: {State.PROGRAMMING, State.PROGRAMMED, State.ERASING},
    State.PROGRAMMED: {State.PROGRAMMED, State.PROGRAMMING, State.ERASING},
    State.CLAIMED: {State.PROGRAMMING, State.ERASING},
    # A region that was handed out is erased and stays its owner's: marked as lost, or as claimed.
    State.ERASING: {
        State.ERASING,
        State.FREE,
        State.PROGRAMMED,
        State.CLAIMED,
        State.QUARANTINED,
    },
    State.QUARANTINED: {State.ERASING, State.QUARANTINED},
}

# What an event records of its region besides the states.
_ON_RECORD = ("owner", "image_id", "digest")

_COLUMNS = (
    "id, driver, device, slot, vendor, address, board, part, interface, kinds, simulated, state,"
    " since, owner, number, handed_out, image_id, function, digest, nodes, lost, quarantine, warm"
)
_REASON = (
    "(SELECT note FROM events WHERE region_id = regions.id ORDER BY sequence DESC LIMIT 1)"
    " AS reason"
)


class OwnerHasRegion(Exception):
    """The owner holds a region of this number already."""


class NotFree(Exception):
    """The region is not free any more."""


class Ledger:
    """The ledger of one host, open.

    Every method raises errors.LedgerUnusable where the file cannot be read or written.

    :param folder: the state folder; made if need be, refused if others than root could change it
    :param timeout: seconds to wait for other processes' transactions
    :param events_kept: how many events of each region stay on record, at least 1
    :param changed: called after each change, which is on disk then
    """

    def __init__(
        self,
        folder: Path,
        timeout: float,
        events_kept: int = 1000,
        changed: typing.Callable[["Ledger"], None] | None = None,
    ) -> None:
        self.folder = folder
        self._changed = changed
        self.path = folder / FILE
        self._database = Database(self.path, (folder, folder / LOCKS), timeout)
        self._db = self._database.connection
        self._history = History(self._db, events_kept)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def lock_path(self, region_id: str) -> Path:
        """The file whose lock the process at work on a region holds."""
        return self.folder / LOCKS / region_id

    def regions(self) -> list[Region]:
        """All regions of this host, in the order in which they are given out."""
        in_use = "state NOT IN ('free', 'quarantined') OR owner IS NOT NULL"
        return self._select(f"WHERE present OR {in_use} ORDER BY rowid")

    def region(self, region_id: str) -> Region | None:
        """The region of an id."""
        return next(iter(self._select("WHERE id = ?", region_id)), None)

    def held_by(self, owner: str) -> list[Region]:
        """The regions that an owner holds, by their numbers."""
        return self._select("WHERE owner = ? ORDER BY number", owner)

    def held_for(self, claim: Claim) -> Region | None:
        """The region that the owner of a claim holds by its number."""
        held = [] if claim.owner is None else self.held_by(claim.owner)
        return next((region for region in held if claim.holds(region)), None)

    def had(self, owner: str, region_id: str) -> bool:
        """Whether an owner held a region, as far as its events are on record."""
        with self._database.explained():
            return self._history.had(owner, region_id)

    def events(self, region_id: str | None = None, last: int | None = None) -> list[Event]:
        """What happened, oldest first.

        :param region_id: to this region; None for all
        :param last: no more than so many, the latest; None for all
        """
        with self._database.explained():
            return self._history.events(region_id, last)

    def on_record(self) -> list[Region]:
        """All regions that this host ever had, in the order in which they are given out."""
        return self._select("ORDER BY rowid")

    def register(self, slots: typing.Sequence[Slot]) -> None:
        """Make the regions known be those that the drivers found; nothing is written if they are.

        A region that is gone is no longer counted unless it is in use, or in quarantine and in a
        guest perhaps; its id and its state are kept for the case that it comes back.
        """
        if {region.slot for region in self._select("WHERE present")} == set(slots):
            return
        with self._transaction():
            self._db.execute("UPDATE regions SET present = 0")
            for slot in slots:
                self._register(slot)

    def claim(self, region_id: str, claim: Claim, image_id: str | None) -> Region:
        """Claim a free region for an owner.

        :param image_id: the image that is to be burnt; None for a package from a file
        :raises OwnerHasRegion: the owner holds another one of this number
        :raises NotFree: somebody else was faster
        """
        number = None if claim.owner is None else claim.number
        fields = {"owner": claim.owner, "number": number, "image_id": image_id}
        return self._give(region_id, claim, State.REQUESTED, "claimed", **fields)

    def hold(self, region_id: str, claim: Claim) -> Region:
        """Give a free region to an owner who does not want it programmed.

        :raises OwnerHasRegion: the owner holds another one of this number
        :raises NotFree: somebody else was faster, or it is warm
        """
        fields = {"owner": claim.owner, "number": claim.number}
        return self._give(region_id, claim, State.CLAIMED, "held", **fields)

    def move(
        self,
        region: Region,
        after: State,
        note: str,
        cause: Cause | None = None,
        warm: Warm | None = None,
        returned: bool = False,
        **fields: str | None,
    ) -> Region:
        """Bring a region into another state and write down that it was done.

        :param region: as the caller, who holds its lock, last saw it
        :param note: what happened, for people
        :param cause: of quarantine, where it goes there
        :param warm: what it still holds, where it is freed by a reset
        :param returned: somebody who knows reports that no guest has its nodes any more
        :param fields: image_id, function, digest, nodes, lost where they change
        :raises ValueError: there is no such transition, the cause is missing, or the region would
            be freed while a guest may have its nodes
        """
        if after not in _NEXT[region.state]:
            raise ValueError(f"no region goes from {region.state} to {after}")
        if (after == State.QUARANTINED) != (cause is not None):
            raise ValueError("a region has a cause if it goes into quarantine, and only then")
        if after == State.FREE and region.handed_out and not returned:
            raise ValueError("a region that a guest may have is not freed")
        if returned:
            fields["handed_out"] = None
        with self._transaction():
            self._see_that_it_is(region)
            if warm is not None:
                fields["warm"] = rows.of_warm(warm)
            return self._write(region, after, note, quarantine=cause, **fields)

    def _give(
        self, region_id: str, claim: Claim, after: State, note: str, **fields: str | int | None
    ) -> Region:
        with self._transaction():
            region = self.region(region_id)
            if region is None or region.state != State.FREE:
                raise NotFree
            if after == State.CLAIMED and region.warm is not None:
                raise NotFree
            if self.held_for(claim) is not None:
                raise OwnerHasRegion
            return self._write(region, after, note, **fields)

    def _see_that_it_is(self, region: Region) -> None:
        if self.region(region.id) != region:
            raise errors.LedgerUnusable(
                f"the ledger {self.path} was changed by something that does not keep its locks"
            )

    def _write(self, region: Region, after: State, note: str, **fields: str | int | None) -> Region:
        record: dict[str, typing.Any] = {
            name: fields.get(name, getattr(region, name)) for name in _ON_RECORD
        }
        handed_out = fields.get("handed_out", region.handed_out)
        owner = fields.get("owner", region.owner)
        if after in (State.PROGRAMMED, State.CLAIMED) and owner is not None:
            fields["handed_out"] = handed_out or now()
        if after == State.FREE or (after == State.QUARANTINED and handed_out is None):
            fields |= {"owner": None, "number": None, "nodes": "[]", "handed_out": None}
        if after in (State.FREE, State.CLAIMED):
            fields |= dict.fromkeys(("image_id", "function", "digest"))
        fields.setdefault("lost", None)
        if after not in (State.FREE, State.REQUESTED):
            # From then on it is worked on, and nobody knows.
            fields["warm"] = None
        since = region.since if after == region.state else now()
        sets = "".join(f", {name} = ?" for name in fields)
        self._db.execute(
            f"UPDATE regions SET state = ?, since = ?{sets} WHERE id = ?",  # noqa: S608
            (after, since, *fields.values(), region.id),
        )
        self._history.note(region.id, region.state, after, note, **record)
        return self._select("WHERE id = ?", region.id)[0]

    def _register(self, slot: Slot) -> None:
        values = {
            "vendor": slot.vendor,
            "address": slot.address,
            "board": slot.board,
            "part": slot.part,
            "interface": slot.interface,
            "kinds": " ".join(sorted(slot.kinds)),
            "simulated": int(slot.simulated),
        }
        row = self._db.execute(
            "SELECT id FROM regions WHERE driver = ? AND device = ? AND slot = ?",
            (slot.driver, slot.device, slot.index),
        ).fetchone()
        if row is not None:
            sets = ", ".join(f"{name} = ?" for name in values)
            self._db.execute(
                f"UPDATE regions SET present = 1, {sets} WHERE id = ?",  # noqa: S608
                (*values.values(), row[0]),
            )
            return
        region_id = str(uuid.uuid4())
        self._db.execute(
            "INSERT INTO regions (id, driver, device, slot, vendor, address, board, part,"
            " interface, kinds, simulated, state, since, nodes, present)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'free', ?, '[]', 1)",
            (region_id, slot.driver, slot.device, slot.index, *values.values(), now()),
        )
        self._history.note(region_id, None, State.FREE, "found")

    def _select(self, condition: str, *values: str) -> list[Region]:
        query = f"SELECT {_COLUMNS}, {_REASON} FROM regions {condition}"  # noqa: S608
        with self._database.explained():
            found = self._db.execute(query, values).fetchall()
        try:
            return [rows.to_region(row) for row in found]
        except (ValueError, TypeError, KeyError) as e:
            raise errors.LedgerUnusable(f"the ledger {self.path} {rows.DAMAGED}") from e

    @contextlib.contextmanager
    def _transaction(self) -> typing.Iterator[None]:
        with self._database.transaction():
            yield
        if self._changed is not None:
            self._changed(self)
