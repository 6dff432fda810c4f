# SPDX-License-Identifier: Apache-2.0
"""Rows of a table as values of a dataclass: read, added, and changed from the state they have."""

import dataclasses
import datetime
import json
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api import clock
from fpga_api.db.connection import Database

Document = dict[str, typing.Any]
Condition: typing.TypeAlias = "sa.ColumnElement[bool]"


class _Dataclass(typing.Protocol):
    __dataclass_fields__: typing.ClassVar[dict[str, typing.Any]]


_R = typing.TypeVar("_R", bound=_Dataclass)


class DuplicateError(Exception):
    """There is a row of this id."""


class Rows(typing.Generic[_R]):
    """The rows of a table with the columns ``id``, ``state`` and ``updated_at``.

    Each method with a `database` raises `errors.DatabaseUnavailable` where it does not answer.

    :param kind: has a field for each column that is read
    :param documents: columns that the database has as JSON
    """

    def __init__(self, table: sa.Table, kind: type[_R], documents: tuple[str, ...] = ()) -> None:
        self._table = table
        self._kind = kind
        self._documents = documents
        self._columns = [table.c[field.name] for field in dataclasses.fields(kind)]

    def select(
        self, database: Database, *conditions: Condition, limit: int | None = None
    ) -> list[_R]:
        """Those that meet all conditions, by id."""
        with database.begin() as connection:
            return self.select_in(connection, *conditions, limit=limit)

    def select_in(
        self, connection: sa.engine.Connection, *conditions: Condition, limit: int | None = None
    ) -> list[_R]:
        """The same, in a transaction."""
        query = sa.select(*self._columns).where(*conditions).order_by(self._table.c.id).limit(limit)
        return [self._one(row._asdict()) for row in connection.execute(query)]

    def get(self, database: Database, row_id: str) -> _R | None:
        """One; None if there is none."""
        found = self.select(database, self._table.c.id == row_id)
        return found[0] if found else None

    def page(self, database: Database, marker: str, limit: int, **equal: typing.Any) -> list[_R]:
        """Some, by id.

        :param marker: id of the last one of the page before
        :param equal: values by column; None for any
        """
        conditions = [
            self._table.c[name] == value for name, value in equal.items() if value is not None
        ]
        return self.select(database, self._table.c.id > marker, *conditions, limit=limit)

    def expect_new(self, connection: sa.engine.Connection, row_id: str) -> None:
        """See that an id is free.

        :raises DuplicateError: it is not
        """
        of_id = sa.select(self._table.c.id).where(self._table.c.id == row_id)
        if connection.execute(of_id).one_or_none() is not None:
            raise DuplicateError(row_id)

    def insert(self, connection: sa.engine.Connection, row: _R) -> None:
        """Add one.

        :raises DuplicateError: there is one of its id, or of something else that is unique
        """
        values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
        try:
            connection.execute(sa.insert(self._table).values(**self._texts(values)))
        except exception.DBDuplicateEntry as e:
            raise DuplicateError(str(values["id"])) from e

    def change(
        self,
        database: Database,
        row_id: str,
        states: typing.Collection[str],
        **values: typing.Any,
    ) -> bool:
        """Change one, if it is in one of some states.

        :returns: whether it was
        """
        with database.begin() as connection:
            of_id = self._table.c.id == row_id
            return self.change_in(connection, of_id, self.in_states(states), **values) == 1

    def change_in(
        self, connection: sa.engine.Connection, *conditions: Condition, **values: typing.Any
    ) -> int:
        """Change all that meet some conditions; gives their number."""
        statement = sa.update(self._table).where(*conditions)
        statement = statement.values(updated_at=clock.now(), **self._texts(values))
        return connection.execute(statement).rowcount

    def remove(self, database: Database, row_id: str, states: typing.Collection[str]) -> None:
        """Delete one, if it is in one of some states."""
        statement = sa.delete(self._table).where(self._table.c.id == row_id, self.in_states(states))
        with database.begin() as connection:
            connection.execute(statement)

    def purge(
        self, database: Database, states: typing.Collection[str], before: datetime.datetime
    ) -> int:
        """Delete those that came into some states before a time; gives their number."""
        old = self._table.c.updated_at < before
        with database.begin() as connection:
            return connection.execute(
                sa.delete(self._table).where(self.in_states(states), old)
            ).rowcount

    def in_states(self, states: typing.Collection[str]) -> Condition:
        """The condition that the state is one of some."""
        return self._table.c.state.in_(states)

    def _one(self, row: Document) -> _R:
        parsed = {n: json.loads(row[n]) for n in self._documents if row[n] is not None}
        return self._kind(**{**row, **parsed})

    def _texts(self, values: Document) -> Document:
        texts = {
            name: json.dumps(values[name], separators=(",", ":"))
            for name in self._documents
            if values.get(name) is not None
        }
        return {**values, **texts}
