# SPDX-License-Identifier: Apache-2.0
"""Sessions of OpenCL: a project's lease of a part of a device, and the hash of its token."""

import dataclasses
import datetime
import typing

import sqlalchemy as sa

from fpga_api.db import opencl_nodes, rows, turns
from fpga_api.db.connection import Database
from fpga_api.db.tables import OPENCL_SESSIONS as TABLE

ALLOCATING, ACTIVE, CLOSING = "allocating", "active", "closing"
CLOSED, EXPIRED, LOST = "closed", "expired", "lost"

#: Those that have something, or may have.
LIVE = (ALLOCATING, ACTIVE, CLOSING)
#: Those that the owner may end.
HELD = (ALLOCATING, ACTIVE)
ENDED = (CLOSED, EXPIRED, LOST)
STATES = (*LIVE, *ENDED)


@dataclasses.dataclass(frozen=True)
class Session:
    """A session.

    :ivar id: uuid of the consumer in Placement, too
    :ivar outcome: the state that it ends in
    :ivar gone: its node has nothing of it any more
    :ivar request: what was asked for
    :ivar boot: of its node; a node that starts again has nothing of it
    :ivar memory_mb: MiB of its workers
    :ivar ttl: seconds, of the last renewal
    :ivar token_hash: SHA-256, in hexadecimal
    :ivar code: stable name of the reason why it was lost
    :ivar fault: the reason, for people
    """

    id: str
    project_id: str
    user_id: str
    state: str
    request: dict[str, typing.Any]
    node_id: str
    device_id: str
    boot: str
    memory_mb: int
    ttl: int
    expires_at: datetime.datetime
    token_hash: str
    token_expires_at: datetime.datetime
    created_at: datetime.datetime
    updated_at: datetime.datetime
    outcome: str | None = None
    gone: bool = False
    code: str | None = None
    fault: str | None = None


class Usage(typing.NamedTuple):
    """What the live sessions of a project, or of a device, have together."""

    sessions: int
    memory_mb: int


DuplicateError = rows.DuplicateError


class FullError(Exception):
    """The device has no room."""


_ROWS = rows.Rows(TABLE, Session, ("request",))
_SUMS = (sa.func.count(), sa.func.sum(TABLE.c.memory_mb))


def add(database: Database, session: Session, permit: typing.Callable[[Usage], None]) -> None:
    """Add a session, unless it is one too many for its project or for its device.

    :param permit: called with what the project has, before this one is added; what it raises ends
        the addition
    :raises DuplicateError: there is one of this id
    :raises FullError: the device has no room for it, or is gone
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    with turns.of_project(database, session.project_id) as connection:
        # Before anything is read: a transaction of MariaDB sees what there was at its first read.
        device = opencl_nodes.lock(connection, session.device_id, session.boot)
        _ROWS.expect_new(connection, session.id)
        permit(_usage(connection, TABLE.c.project_id == session.project_id))
        used = _usage(connection, TABLE.c.device_id == session.device_id)
        if device is None or not _fits(session, device, used):
            raise FullError(session.device_id)
        _ROWS.insert(connection, session)


def _fits(session: Session, device: opencl_nodes.Device, used: Usage) -> bool:
    memory = used.memory_mb + session.memory_mb
    return used.sessions < device.sessions and memory <= device.memory_mb


def usages(database: Database) -> dict[str, Usage]:
    """What the live sessions of each device have together, by device.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    query = (
        sa.select(TABLE.c.device_id, *_SUMS)
        .where(_ROWS.in_states(LIVE))
        .group_by(TABLE.c.device_id)
    )
    with database.begin() as connection:
        found = connection.execute(query)
        return {row[0]: Usage(int(row[1]), int(row[2] or 0)) for row in found}


def get(database: Database, session_id: str) -> Session | None:
    """A session; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.get(database, session_id)


def page(
    database: Database, marker: str, limit: int, project: str | None, state: str | None
) -> list[Session]:
    """Some sessions, by id.

    :param marker: id of the last one of the page before
    :param project: whose; None for those of all projects
    :param state: None for all
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.page(database, marker, limit, project_id=project, state=state)


def on_node(connection: sa.engine.Connection, node_id: str, boot: str) -> list[Session]:
    """The active sessions of a node, in a transaction."""
    of_node = (TABLE.c.node_id == node_id, TABLE.c.boot == boot)
    return _ROWS.select_in(connection, *of_node, TABLE.c.state == ACTIVE)


def expired(database: Database, at: datetime.datetime) -> list[Session]:
    """The active sessions whose time is over.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, TABLE.c.state == ACTIVE, TABLE.c.expires_at <= at)


def stuck(database: Database, before: datetime.datetime) -> list[Session]:
    """The sessions that have been allocating since a time before this one.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, TABLE.c.state == ALLOCATING, TABLE.c.updated_at < before)


def gone(database: Database) -> list[Session]:
    """The closing sessions of which their nodes have nothing any more.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, TABLE.c.state == CLOSING, TABLE.c.gone)


def change(
    database: Database, session_id: str, states: typing.Collection[str], **values: typing.Any
) -> bool:
    """Change a session, if it is in one of some states.

    :returns: whether it was
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.change(database, session_id, states, **values)


def confirm(
    connection: sa.engine.Connection, node_id: str, present: typing.Collection[str]
) -> None:
    """Note which closing sessions a node has nothing of, in a transaction.

    :param present: ids of those that it has something of
    """
    of_node = (TABLE.c.node_id == node_id, TABLE.c.state == CLOSING, sa.not_(TABLE.c.gone))
    absent = TABLE.c.id.not_in(present) if present else sa.true()
    _ROWS.change_in(connection, *of_node, absent, gone=True)


def lose(
    connection: sa.engine.Connection, node_id: str, code: str, fault: str, but_boot: str = ""
) -> None:
    """Have the sessions of a node end, of which it has nothing any more, in a transaction.

    :param but_boot: those of this start of the node stay
    """
    of_node = (TABLE.c.node_id == node_id, TABLE.c.boot != but_boot)
    values = {"state": CLOSING, "outcome": LOST, "code": code, "fault": fault, "gone": True}
    _ROWS.change_in(connection, *of_node, _ROWS.in_states(HELD), **values)
    closing = (TABLE.c.state == CLOSING, sa.not_(TABLE.c.gone))
    _ROWS.change_in(connection, *of_node, *closing, gone=True)


def purge(database: Database, before: datetime.datetime) -> int:
    """Delete the sessions that ended before a time.

    :returns: how many
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.purge(database, ENDED, before)


def _usage(connection: sa.engine.Connection, condition: rows.Condition) -> Usage:
    query = sa.select(*_SUMS).where(condition, _ROWS.in_states(LIVE))
    row = connection.execute(query).one()
    return Usage(int(row[0]), int(row[1] or 0))
