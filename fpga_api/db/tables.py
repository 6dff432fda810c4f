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

#: Its row is locked while something is added that counts against the limit of a project.
PROJECTS = sa.Table(
    "projects",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("turn", sa.BigInteger, nullable=False),
)

CLAIMS = sa.Table(
    "claims",
    METADATA,
    # The uuid of the consumer in Placement, and of the owner in the ledger of the host.
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # The state that the release ends in.
    sa.Column("outcome", sa.String(16)),
    # What was asked for, as JSON.
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("ttl", sa.Integer, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    sa.Column("provider_id", sa.String(36)),
    sa.Column("host", sa.String(255)),
    sa.Column("bitstream_id", sa.String(36)),
    # What the host gave, as JSON.
    sa.Column("region", sa.Text),
    sa.Column("code", sa.String(64)),
    sa.Column("fault", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Index("claims_state", "state", "expires_at"),
    sa.Index("claims_project", "project_id", "state"),
)

PROGRAMS = sa.Table(
    "programs",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("server_id", sa.String(36), nullable=False),
    # The server while this program is not at its end, else null: a server has one at a time.
    sa.Column("busy_server_id", sa.String(36), unique=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("reboot", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("host", sa.String(255)),
    sa.Column("region", sa.String(255)),
    sa.Column("bitstream_id", sa.String(36), nullable=False),
    sa.Column("previous_id", sa.String(36)),
    # Whether it is the last one of its server and number that was done.
    sa.Column("in_place", sa.Boolean, nullable=False),
    sa.Column("restored", sa.Boolean),
    sa.Column("reboot_required", sa.Boolean),
    sa.Column("code", sa.String(64)),
    sa.Column("fault", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Index("programs_server", "server_id", "number", "state"),
    sa.Index("programs_project", "project_id"),
    sa.Index("programs_state", "state", "updated_at"),
)

OPENCL_NODES = sa.Table(
    "opencl_nodes",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    # Who registered it.
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    # The project that alone may use it; null for all.
    sa.Column("reserved_for", sa.String(64)),
    sa.Column("address", sa.String(255), nullable=False),
    sa.Column("certificate", sa.Text, nullable=False),
    # Chosen at each start: sessions of an earlier one are gone.
    sa.Column("boot", sa.String(36), nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

OPENCL_DEVICES = sa.Table(
    "opencl_devices",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("node_id", sa.String(36), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("vendor", sa.String(255), nullable=False),
    sa.Column("version", sa.String(255), nullable=False),
    sa.Column("driver_version", sa.String(255), nullable=False),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("compute_units", sa.BigInteger, nullable=False),
    sa.Column("global_memory", sa.BigInteger, nullable=False),
    # Those at once, and the MiB of all of them.
    sa.Column("sessions", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    # Locked while a session is added.
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("node_id", "number", name="opencl_devices_node"),
)

OPENCL_SESSIONS = sa.Table(
    "opencl_sessions",
    METADATA,
    # The uuid of the consumer in Placement, too.
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("project_id", sa.String(64), nullable=False),
    sa.Column("user_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    # The state that it ends in.
    sa.Column("outcome", sa.String(16)),
    # Whether its node has nothing of it any more.
    sa.Column("gone", sa.Boolean, nullable=False),
    # What was asked for, as JSON.
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("node_id", sa.String(36), nullable=False),
    sa.Column("device_id", sa.String(36), nullable=False),
    sa.Column("boot", sa.String(36), nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("ttl", sa.Integer, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
    # SHA-256 of the token, in hexadecimal; the token itself is kept nowhere.
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("token_expires_at", UtcTime, nullable=False),
    sa.Column("code", sa.String(64)),
    sa.Column("fault", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Index("opencl_sessions_state", "state", "expires_at"),
    sa.Index("opencl_sessions_project", "project_id", "state"),
    sa.Index("opencl_sessions_node", "node_id", "state"),
    sa.Index("opencl_sessions_device", "device_id", "state"),
)
