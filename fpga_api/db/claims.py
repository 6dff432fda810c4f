# SPDX-License-Identifier: Apache-2.0
"""Claims: accelerators that somebody holds without a server.

A state changes by a comparison with the one that the row has: whoever comes too late changes
nothing, and learns it.
"""

import dataclasses
import datetime
import typing

import sqlalchemy as sa

from fpga_api.db import rows, turns
from fpga_api.db.connection import Database
from fpga_api.db.tables import CLAIMS

ALLOCATING, PROGRAMMING, ACTIVE = "allocating", "programming", "active"
RELEASING = "releasing"
RELEASED, EXPIRED, FAILED = "released", "expired", "failed"

#: Those that have something, or may have.
LIVE = (ALLOCATING, PROGRAMMING, ACTIVE, RELEASING)
#: Those that the owner may renew and release.
HELD = (ALLOCATING, PROGRAMMING, ACTIVE)
ENDED = (RELEASED, EXPIRED, FAILED)
STATES = (*LIVE, *ENDED)

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


_ROWS = rows.Rows(CLAIMS, Claim, ("request", "region"))

DuplicateError = rows.DuplicateError


def add(database: Database, claim: Claim, permit: typing.Callable[[int], None]) -> None:
    """Add a claim, unless it is one too many for its project.

    :param permit: called with the number of live claims of the project, before this one is added;
        what it raises ends the addition. No other claim of the project is added meanwhile.
    :raises DuplicateError: there is a claim of this id
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    count = sa.select(sa.func.count()).where(
        CLAIMS.c.project_id == claim.project_id, _ROWS.in_states(LIVE)
    )
    with turns.of_project(database, claim.project_id) as connection:
        _ROWS.expect_new(connection, claim.id)
        permit(int(connection.execute(count).scalar_one()))
        # Another project may be faster with the same id.
        _ROWS.insert(connection, claim)


def get(database: Database, claim_id: str) -> Claim | None:
    """A claim; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.get(database, claim_id)


def page(
    database: Database, marker: str, limit: int, project: str | None, state: str | None
) -> list[Claim]:
    """Some claims, by id.

    :param marker: id of the last one of the page before
    :param project: whose; None for those of all projects
    :param state: None for all
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.page(database, marker, limit, project_id=project, state=state)


def in_state(
    database: Database, *states: str, before: datetime.datetime | None = None
) -> list[Claim]:
    """The claims in some states.

    :param before: only those that came into their state before
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    conditions = [_ROWS.in_states(states)]
    if before is not None:
        conditions.append(CLAIMS.c.updated_at < before)
    return _ROWS.select(database, *conditions)


def expired(database: Database, at: datetime.datetime) -> list[Claim]:
    """The claims whose time is over, and which are not being released.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.select(database, _ROWS.in_states(HELD), CLAIMS.c.expires_at <= at)


def ended_between(
    database: Database, start: datetime.datetime, end: datetime.datetime
) -> list[Claim]:
    """The claims that ended between two times, the second one excluded.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    since = sa.and_(CLAIMS.c.updated_at >= start, CLAIMS.c.updated_at < end)
    return _ROWS.select(database, _ROWS.in_states(ENDED), since)


def change(
    database: Database, claim_id: str, states: typing.Collection[str], **values: typing.Any
) -> bool:
    """Change a claim, if it is in one of some states.

    :returns: whether it was
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.change(database, claim_id, states, **values)


def remove(database: Database, claim_id: str, states: typing.Collection[str]) -> None:
    """Delete a claim that holds nothing, if it is in one of some states.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    _ROWS.remove(database, claim_id, states)


def purge(database: Database, before: datetime.datetime) -> int:
    """Delete the claims that ended before a time.

    :returns: how many
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _ROWS.purge(database, ENDED, before)
