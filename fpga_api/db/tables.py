# SPDX-License-Identifier: Apache-2.0
"""The tables, as the newest revision has them."""

import datetime
import typing

import sqlalchemy as sa


class UtcTime(sa.types.TypeDecorator[datetime.datetime]):
    """A time with its zone in Python, and in UTC to the second in the database."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime.datetime | None, dialect: sa.engine.Dialect
    ) -> datetime.datetime | None:
        """Leave out what not all databases keep."""
        if value is None:
            return None
        return value.astimezone(datetime.UTC).replace(tzinfo=None, microsecond=0)

    def process_result_value(
        self, value: typing.Any, dialect: sa.engine.Dialect
    ) -> datetime.datetime | None:
        """Add the zone."""
        return None if value is None else value.replace(tzinfo=datetime.UTC)


METADATA = sa.MetaData()

SAMPLES = sa.Table(
    "samples",
    METADATA,
    # Nova's flavorid has as many characters.
    sa.Column("flavor", sa.String(255), primary_key=True),
    sa.Column("at", UtcTime, primary_key=True),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("free", sa.Integer, nullable=False),
    sa.Index("samples_at", "at"),
)

LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
)
