# SPDX-License-Identifier: Apache-2.0
"""What happened to the regions of a ledger: events are added, never changed, the oldest go."""

import datetime
import sqlite3

from fpga_regions.model import Event, State


class History:
    """The events of a ledger; each method raises sqlite3.Error.

    :param db: the ledger, open
    :param limit: how many events of each region stay on record, at least 1
    """

    def __init__(self, db: sqlite3.Connection, limit: int) -> None:
        self._db = db
        self._limit = limit

    def events(self, region_id: str | None, last: int | None) -> list[Event]:
        """The latest events, oldest first; None for those of all regions, and for all of them."""
        query = (
            "SELECT sequence, at, region_id, before, state, owner, image_id, digest, note"
            " FROM events WHERE ?1 IS NULL OR region_id = ?1 ORDER BY sequence DESC LIMIT ?2"
        )
        found = self._db.execute(query, (region_id, -1 if last is None else last)).fetchall()
        return [Event(*row) for row in reversed(found)]

    def had(self, owner: str, region_id: str) -> bool:
        """Whether an owner held a region, as far as that is on record."""
        query = "SELECT 1 FROM events WHERE owner = ? AND region_id = ? LIMIT 1"
        return self._db.execute(query, (owner, region_id)).fetchone() is not None

    def note(
        self,
        region_id: str,
        before: State | None,
        after: State,
        note: str,
        owner: str | None = None,
        image_id: str | None = None,
        digest: str | None = None,
    ) -> None:
        """Add an event."""
        self._db.execute(
            "INSERT INTO events (at, region_id, before, state, owner, image_id, digest, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now(), region_id, before, after, owner, image_id, digest, note),
        )
        self._forget_oldest(region_id)

    def _forget_oldest(self, region_id: str) -> None:
        # One by one: the database refuses another order.
        surplus = "SELECT 1 FROM events WHERE region_id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?"
        while self._db.execute(surplus, (region_id, self._limit)).fetchone() is not None:
            self._db.execute(
                "DELETE FROM events WHERE sequence ="
                " (SELECT min(sequence) FROM events WHERE region_id = ?)",
                (region_id,),
            )


def now() -> str:
    """The present moment as the ledger writes it: ISO 8601 in UTC, to the millisecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
