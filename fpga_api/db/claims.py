# SPDX-License-Identifier: Apache-2.0
"""Claims: accelerators that somebody holds without a server.

A state changes by a comparison with the one that the row has: whoever comes too late changes
nothing, and learns it.
"""

import dataclasses
import datetime
import json
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api import clock, errors
from fpga_api.db.connection import Database
from fpga_api.db.tables import CLAIMS, PROJECTS

ALLOCATING, PROGRAMMING, ACTIVE = "allocating", "programming", "active"
RELEASING = "releasing"
RELEASED, EXPIRED, FAILED = "released", "expired", "failed"

#: Those that have something, or may have.
LIVE = (ALLOCATING, PROGRAMMING, ACTIVE, RELEASING)
#: Those that the owner may renew and release.
HELD = (ALLOCATING, PROGRAMMING, ACTIVE)
ENDED = (RELEASED, EXPIRED, FAILED)
STATES = (*LIVE, *ENDED)

#: Members that the database has as JSON.
_JSON = ("request", "region")

Document = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim.

    :ivar id: uuid of the consumer in Placement, and of the owner in the ledger of the host
    :ivar outcome: the state that its release ends in
    :ivar request: what was asked for
    :ivar ttl: seconds, of the last renewal
    :ivar provider_id: the card, or its host, in Placement
    :ivar region: what the host gave: its id, card, address and nodes
    :ivar code: stable name of the failure
    :ivar fault: the failure, for people
    """

    id: str
    project_id: str
    user_id: str
    state: str
    request: Document
    ttl: int
    expires_at: datetime.datetime
    created_at: datetime.datetime
    updated_at: datetime.datetime
    outcome: str | None = None
    provider_id: str | None = None
    host: str | None = None
    bitstream_id: str | None = None
    region: Document | None = None
    code: str | None = None
    fault: str | None = None


_COLUMNS = [CLAIMS.c[field.name] for field in dataclasses.fields(Claim)]


class DuplicateError(Exception):
    """There is a row of this id."""


def add(database: Database, claim: Claim, permit: typing.Callable[[int], None]) -> None:
    """Add a claim, unless it is one too many for its project.

    :param permit: called with the number of live claims of the project, before this one is added;
        what it raises ends the addition. No other claim of the project is added meanwhile.
    :raises DuplicateError: there is a claim of this id
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    _know(database, claim.project_id)
    of_project = sa.update(PROJECTS).where(PROJECTS.c.id == claim.project_id)
    count = sa.select(sa.func.count()).where(
        CLAIMS.c.project_id == claim.project_id, CLAIMS.c.state.in_(LIVE)
    )
    with database.begin() as connection:
        connection.execute(of_project.values(turn=PROJECTS.c.turn + 1))
        of_id = sa.select(CLAIMS.c.id).where(CLAIMS.c.id == claim.id)
        if connection.execute(of_id).one_or_none() is not None:
            raise DuplicateError(claim.id)
        permit(int(connection.execute(count).scalar_one()))
        try:
            connection.execute(sa.insert(CLAIMS).values(**_values(dataclasses.asdict(claim))))
        except exception.DBDuplicateEntry as e:
            # Another project was faster with the same id.
            raise DuplicateError(claim.id) from e


def _know(database: Database, project: str) -> None:
    """Have a row for a project, which `add` can lock."""
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


def get(database: Database, claim_id: str) -> Claim | None:
    """A claim; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    found = _select(database, CLAIMS.c.id == claim_id)
    return found[0] if found else None


def page(
    database: Database, marker: str, limit: int, project: str | None, state: str | None
) -> list[Claim]:
    """Some claims, by id.

    :param marker: id of the last one of the page before
    :param project: whose; None for those of all projects
    :param state: None for all
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    conditions: list[sa.ColumnElement[bool]] = [CLAIMS.c.id > marker]
    if project is not None:
        conditions.append(CLAIMS.c.project_id == project)
    if state is not None:
        conditions.append(CLAIMS.c.state == state)
    return _select(database, *conditions, limit=limit)


def in_state(
    database: Database, *states: str, before: datetime.datetime | None = None
) -> list[Claim]:
    """The claims in some states.

    :param before: only those that came into their state before
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    conditions: list[sa.ColumnElement[bool]] = [CLAIMS.c.state.in_(states)]
    if before is not None:
        conditions.append(CLAIMS.c.updated_at < before)
    return _select(database, *conditions)


def expired(database: Database, at: datetime.datetime) -> list[Claim]:
    """The claims whose time is over, and which are not being released.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _select(database, CLAIMS.c.state.in_(HELD), CLAIMS.c.expires_at <= at)


def ended_between(
    database: Database, start: datetime.datetime, end: datetime.datetime
) -> list[Claim]:
    """The claims that ended between two times, the second one excluded.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    since = sa.and_(CLAIMS.c.updated_at >= start, CLAIMS.c.updated_at < end)
    return _select(database, CLAIMS.c.state.in_(ENDED), since)


def change(
    database: Database, claim_id: str, states: typing.Collection[str], **values: typing.Any
) -> bool:
    """Change a claim, if it is in one of some states.

    :returns: whether it was
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    statement = (
        sa.update(CLAIMS)
        .where(CLAIMS.c.id == claim_id, CLAIMS.c.state.in_(states))
        .values(updated_at=clock.now(), **_values(values))
    )
    with database.begin() as connection:
        return connection.execute(statement).rowcount == 1


def remove(database: Database, claim_id: str, states: typing.Collection[str]) -> None:
    """Delete a claim that holds nothing, if it is in one of some states.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    statement = sa.delete(CLAIMS).where(CLAIMS.c.id == claim_id, CLAIMS.c.state.in_(states))
    with database.begin() as connection:
        connection.execute(statement)


def purge(database: Database, before: datetime.datetime) -> int:
    """Delete the claims that ended before a time.

    :returns: how many
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    statement = sa.delete(CLAIMS).where(CLAIMS.c.state.in_(ENDED), CLAIMS.c.updated_at < before)
    with database.begin() as connection:
        return connection.execute(statement).rowcount


def _select(
    database: Database, *conditions: "sa.ColumnElement[bool]", limit: int | None = None
) -> list[Claim]:
    query = sa.select(*_COLUMNS).where(*conditions).order_by(CLAIMS.c.id).limit(limit)
    with database.begin() as connection:
        return [_claim(row._asdict()) for row in connection.execute(query)]


def _claim(row: Document) -> Claim:
    parsed = {name: json.loads(row[name]) for name in _JSON if row[name] is not None}
    return Claim(**{**row, **parsed})


def _values(values: Document) -> Document:
    texts = {
        name: json.dumps(values[name], separators=(",", ":"))
        for name in _JSON
        if values.get(name) is not None
    }
    return {**values, **texts}
