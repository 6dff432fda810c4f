# SPDX-License-Identifier: Apache-2.0
"""Transactions of a project, one after the other: what counts against its limit is added there."""

import contextlib
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api import errors
from fpga_api.db.connection import Database
from fpga_api.db.tables import PROJECTS


@contextlib.contextmanager
def of_project(database: Database, project: str) -> typing.Iterator[sa.engine.Connection]:
    """A transaction, committed at its end; no other one of the project runs meanwhile.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    _know(database, project)
    with database.begin() as connection:
        connection.execute(
            sa.update(PROJECTS).where(PROJECTS.c.id == project).values(turn=PROJECTS.c.turn + 1)
        )
        yield connection


def _know(database: Database, project: str) -> None:
    """Have a row for a project, which a transaction can lock."""
    with database.begin() as connection:
        query = sa.select(PROJECTS.c.id).where(PROJECTS.c.id == project)
        if connection.execute(query).one_or_none() is not None:
            return
    try:
        with database.engine.begin() as connection:
            connection.execute(sa.insert(PROJECTS).values(id=project, turn=0))
    except exception.DBDuplicateEntry:
        return
    except exception.DBError as e:
        raise errors.DatabaseUnavailable("the database does not answer") from e
