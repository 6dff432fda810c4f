# SPDX-License-Identifier: Apache-2.0
"""Add samples and leases."""

import sqlalchemy as sa
from alembic import op

revision = "9c1b7a40e2d5"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "samples",
        sa.Column("flavor", sa.String(255), primary_key=True),
        sa.Column("at", sa.DateTime, primary_key=True),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("free", sa.Integer, nullable=False),
    )
    op.create_index("samples_at", "samples", ["at"])
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
    )


def downgrade():
    op.drop_table("leases")
    op.drop_index("samples_at", "samples")
    op.drop_table("samples")
