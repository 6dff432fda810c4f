# SPDX-License-Identifier: Apache-2.0
"""How many servers of a flavor could be booted, at many times."""

import dataclasses
import datetime
import typing

import sqlalchemy as sa

from fpga_api.db.connection import Database
from fpga_api.db.tables import SAMPLES


@dataclasses.dataclass(frozen=True)
class Sample:
    """The availability of a flavor at one time.

    :ivar flavor: its id
    :ivar at: to the second
    :ivar total: servers that the cloud has room for if it has no other
    :ivar free: servers that can be booted
    """

    flavor: str
    at: datetime.datetime
    total: int
    free: int


def add(database: Database, samples: typing.Sequence[Sample]) -> None:
    """Keep samples; one of the same flavor and second is replaced.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    if not samples:
        return
    key = sa.and_(SAMPLES.c.flavor == sa.bindparam("of"), SAMPLES.c.at == sa.bindparam("when"))
    with database.begin() as connection:
        connection.execute(
            sa.delete(SAMPLES).where(key), [{"of": one.flavor, "when": one.at} for one in samples]
        )
        connection.execute(sa.insert(SAMPLES), [dataclasses.asdict(one) for one in samples])


def of_flavor(database: Database, flavor: str, since: datetime.datetime) -> list[Sample]:
    """The samples of a flavor, the oldest first.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    columns = (SAMPLES.c.flavor, SAMPLES.c.at, SAMPLES.c.total, SAMPLES.c.free)
    query = (
        sa.select(*columns)
        .where(SAMPLES.c.flavor == flavor, SAMPLES.c.at >= since)
        .order_by(SAMPLES.c.at)
    )
    with database.begin() as connection:
        return [Sample(*row) for row in connection.execute(query)]


def purge(database: Database, before: datetime.datetime) -> int:
    """Delete the samples older than a time.

    :returns: how many
    :raises errors.DatabaseUnavailable: the database does not answer
    """
    with database.begin() as connection:
        return connection.execute(sa.delete(SAMPLES).where(SAMPLES.c.at < before)).rowcount
