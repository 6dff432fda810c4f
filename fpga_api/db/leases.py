# SPDX-License-Identifier: Apache-2.0
"""A lease: of several processes with one database, one at a time holds it.

Its row counts turns. The holder adds one before its time is over. Another process takes the lease
when it saw no new turn for that time, by its own monotonic clock: so the clocks of hosts need not
agree. The holder counts its time from before it wrote, and the other one from after.
"""

import time
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api.db.connection import Database
from fpga_api.db.tables import LEASES

#: The owner of a lease that was given back.
_NOBODY = ""


class Lease:
    """One process's view of a lease.

    :param name: of the lease
    :param owner: of this process, which no other process has
    :param duration: seconds that one turn lasts, the same for all processes
    :param clock: monotonic, in seconds
    """

    def __init__(
        self,
        database: Database,
        name: str,
        owner: str,
        duration: float,
        clock: typing.Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._name = name
        self._owner = owner
        self._duration = duration
        self._clock = clock
        self._end = clock()
        self._seen: tuple[str, int] | None = None
        self._seen_at = clock()

    @property
    def held(self) -> bool:
        """Whether this process has the lease now; no question to the database."""
        return self._clock() < self._end

    def hold(self) -> bool:
        """Renew the lease, or take one that nobody holds: to be called three times a turn.

        :returns: whether this process has it
        :raises errors.DatabaseUnavailable: the database does not answer; `held` says what still is
        """
        start = self._clock()
        row = self._row()
        if self._free(row) and self._write(row, self._owner):
            self._end = start + self._duration
        elif row is None or row[0] != self._owner:
            self._end = start
        return self.held

    def release(self) -> None:
        """Give the lease back, so that another process need not wait.

        :raises errors.DatabaseUnavailable: the database does not answer
        """
        row = self._row()
        self._end = self._clock()
        if row is not None and row[0] == self._owner:
            self._write(row, _NOBODY)

    def _free(self, row: tuple[str, int] | None) -> bool:
        if row is None or row[0] in (self._owner, _NOBODY):
            return True
        if row != self._seen:
            self._seen, self._seen_at = row, self._clock()
        return self._clock() - self._seen_at > self._duration

    def _row(self) -> tuple[str, int] | None:
        query = sa.select(LEASES.c.owner, LEASES.c.turn).where(LEASES.c.name == self._name)
        with self._database.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.owner, row.turn)

    def _write(self, row: tuple[str, int] | None, owner: str) -> bool:
        """Begin a turn, if the last one is still the one that was read."""
        if row is None:
            return self._insert(owner)
        of_turn = sa.and_(LEASES.c.name == self._name, LEASES.c.turn == row[1])
        change = sa.update(LEASES).where(of_turn).values(owner=owner, turn=row[1] + 1)
        with self._database.begin() as connection:
            return connection.execute(change).rowcount == 1

    def _insert(self, owner: str) -> bool:
        try:
            with self._database.engine.begin() as connection:
                connection.execute(sa.insert(LEASES).values(name=self._name, owner=owner, turn=1))
        except exception.DBDuplicateEntry:
            return False
        return True
