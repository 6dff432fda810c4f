# SPDX-License-Identifier: Apache-2.0
"""Add claims and programs."""

import sqlalchemy as sa
from alembic import op

revision = "4d8f2c6b1a73"
down_revision = "9c1b7a40e2d5"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "projects",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("turn", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("ttl", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("provider_id", sa.String(36)),
        sa.Column("host", sa.String(255)),
        sa.Column("bitstream_id", sa.String(36)),
        sa.Column("region", sa.Text),
        sa.Column("code", sa.String(64)),
        sa.Column("fault", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_index("claims_state", "claims", ["state", "expires_at"])
    op.create_index("claims_project", "claims", ["project_id", "state"])
    op.create_table(
        "programs",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("server_id", sa.String(36), nullable=False),
        sa.Column("busy_server_id", sa.String(36), unique=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("reboot", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("region", sa.String(255)),
        sa.Column("bitstream_id", sa.String(36), nullable=False),
        sa.Column("previous_id", sa.String(36)),
        sa.Column("in_place", sa.Boolean, nullable=False),
        sa.Column("restored", sa.Boolean),
        sa.Column("reboot_required", sa.Boolean),
        sa.Column("code", sa.String(64)),
        sa.Column("fault", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_index("programs_server", "programs", ["server_id", "number", "state"])
    op.create_index("programs_project", "programs", ["project_id"])
    op.create_index("programs_state", "programs", ["state", "updated_at"])


def downgrade():
    op.drop_table("programs")
    op.drop_table("claims")
    op.drop_table("projects")
