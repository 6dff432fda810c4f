# SPDX-License-Identifier: Apache-2.0
"""Programs: other bitstreams for regions of servers that run. A server has one at a time."""

import dataclasses
import datetime
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api import errors
from fpga_api.db import rows
from fpga_api.db.connection import Database
from fpga_api.db.tables import PROGRAMS

REQUESTED, RUNNING = "requested", "running"
DONE, FAILED, LOST = "done", "failed", "lost"

BUSY = (REQUESTED, RUNNING)
ENDED = (DONE, FAILED, LOST)
STATES = (*BUSY, *ENDED)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program.

    :ivar project_id: of the server
    :ivar number: of the region among those of the server
    :ivar reboot: whether the server may be rebooted for it
    :ivar previous_id: the bitstream that the region had before
    :ivar in_place: it is the last one of its server and number that was done
    :ivar restored: whether the previous bitstream is back after a failure; None if none failed
    :ivar reboot_required: whether the server sees its function after a reboot alone
    :ivar code: stable name of the failure
    :ivar fault: the failure, for people
    """

    id: str
    project_id: str
    user_id: str
    server_id: str
    number: int
    reboot: str
    state: str
    bitstream_id: str
    created_at: datetime.datetime
    updated_at: datetime.datetime
    host: str | None = None
    region: str | None = None
    previous_id: str | None = None
    in_place: bool = False
    restored: bool | None = None
    reboot_required: bool | None = None
    code: str | None = None
    fault: str | None = None


_ROWS = rows.Rows(PROGRAMS, Program)


class DuplicateError(Exception):
    """There is a program of this id."""


class BusyError(Exception):
    """The server has another program that is not at its end."""


def add(database: Database, program: Program) -> None:
    """Add a program.

    :raises DuplicateError: there is one of this id
    :raises BusyError: the server has another one
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    values = dataclasses.asdict(program) | {"busy_server_id": program.server_id}
    try:
        with database.engine.begin() as connection:
            connection.execute(sa.insert(PROGRAMS).values(**values))
    except exception.DBDuplicateEntry as e:
        if get(database, program.id) is not None:
            raise DuplicateError(program.id) from e
        raise BusyError(program.server_id) from e
    except exception.DBError as e:
        raise errors.DatabaseUnavailable("the database does not answer") from e


def get(database: Database, program_id: str) -> Program | None:
    """A program; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.get(database, program_id)


def page(
    database: Database, marker: str, limit: int, project: str | None, server: str | None
) -> list[Program]:
    """Some programs, by id.

    :param marker: id of the last one of the page before
    :param project: whose; None for those of all projects
    :param server: None for those of all servers
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.page(database, marker, limit, project_id=project, server_id=server)


def busy(database: Database) -> list[Program]:
    """The programs that are not at their end.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, _ROWS.in_states(BUSY))


def changed_since(database: Database, server: str, at: datetime.datetime) -> bool:
    """Whether a server has a program that changed at a time or later.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    # The database has times to the second.
    since = PROGRAMS.c.updated_at >= at - datetime.timedelta(seconds=1)
    return bool(_ROWS.select(database, PROGRAMS.c.server_id == server, since, limit=1))


def of_bitstream(database: Database, bitstream_id: str) -> list[Program]:
    """The programs with a bitstream, whatever became of them.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, PROGRAMS.c.bitstream_id == bitstream_id)


def remove(database: Database, program_id: str) -> None:
    """Delete a program that a host refused.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    _ROWS.remove(database, program_id, (REQUESTED,))


def change(
    database: Database, program_id: str, states: typing.Collection[str], **values: typing.Any
) -> bool:
    """Change a program, if it is in one of some states.

    A program that is done takes the place of the one before it.

    :returns: whether it was
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    state = values.get("state")
    more: dict[str, typing.Any] = {"busy_server_id": None} if state in ENDED else {}
    of_id = PROGRAMS.c.id == program_id
    with database.begin() as connection:
        values |= more
        found = _ROWS.change_in(connection, of_id, _ROWS.in_states(states), **values)
        changed = found == 1
        if changed and state == DONE:
            _put_in_place(connection, program_id)
        return changed


def _put_in_place(connection: sa.engine.Connection, program_id: str) -> None:
    of_id = sa.select(PROGRAMS.c.server_id, PROGRAMS.c.number).where(PROGRAMS.c.id == program_id)
    row = connection.execute(of_id).one()
    of_region = sa.and_(
        PROGRAMS.c.server_id == row.server_id, PROGRAMS.c.number == row.number, PROGRAMS.c.in_place
    )
    connection.execute(sa.update(PROGRAMS).where(of_region).values(in_place=False))
    connection.execute(sa.update(PROGRAMS).where(PROGRAMS.c.id == program_id).values(in_place=True))


def purge(database: Database, before: datetime.datetime) -> int:
    """Delete the programs that ended before a time.

    :returns: how many
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.purge(database, ENDED, before)


def needed(programs: typing.Iterable[Program]) -> bool:
    """Whether one of some programs is in place, or may come there."""
    return any(one.in_place or one.state in BUSY for one in programs)
