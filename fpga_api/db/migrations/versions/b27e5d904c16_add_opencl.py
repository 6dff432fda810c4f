# SPDX-License-Identifier: Apache-2.0
"""Add nodes, devices and sessions of OpenCL."""

import sqlalchemy as sa
from alembic import op

revision = "b27e5d904c16"
down_revision = "4d8f2c6b1a73"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "opencl_nodes",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("reserved_for", sa.String(64)),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("certificate", sa.Text, nullable=False),
        sa.Column("boot", sa.String(36), nullable=False),
        sa.Column("seen_at", sa.DateTime, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "opencl_devices",
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
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("node_id", "number", name="opencl_devices_node"),
    )
    op.create_table(
        "opencl_sessions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("node_id", sa.String(36), nullable=False),
        sa.Column("device_id", sa.String(36), nullable=False),
        sa.Column("boot", sa.String(36), nullable=False),
        sa.Column("memory_mb", sa.Integer, nullable=False),
        sa.Column("ttl", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("token_expires_at", sa.DateTime, nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("fault", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_index("opencl_sessions_state", "opencl_sessions", ["state", "expires_at"])
    op.create_index("opencl_sessions_project", "opencl_sessions", ["project_id", "state"])
    op.create_index("opencl_sessions_node", "opencl_sessions", ["node_id", "state"])
    op.create_index("opencl_sessions_device", "opencl_sessions", ["device_id", "state"])


def downgrade():
    op.drop_table("opencl_sessions")
    op.drop_table("opencl_devices")
    op.drop_table("opencl_nodes")
