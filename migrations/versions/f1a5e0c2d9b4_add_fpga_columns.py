# SPDX-License-Identifier: Apache-2.0
"""Add the counts of regions to compute nodes and the region's id to instances.

All are nullable, so that a Nova without the patch writes its rows as before.
"""

import typing

import sqlalchemy as sa
from alembic import op

from fpga_manage import schema

revision: str = "f1a5e0c2d9b4"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_COLUMNS: tuple[tuple[str, str, sa.types.TypeEngine[typing.Any]], ...] = (
    ("compute_nodes", "fpga_regions", sa.Integer()),
    ("compute_nodes", "fpga_regions_used", sa.Integer()),
    ("instances", "fpga_device", sa.String(255)),
)


def upgrade() -> None:
    """Add what is missing."""
    for base, column, type_ in _COLUMNS:
        for table in schema.with_shadow(base):
            if not schema.has_column(op.get_bind(), table, column):
                op.add_column(table, sa.Column(column, type_, nullable=True))


def downgrade() -> None:
    """Remove what is there."""
    for base, column, _type in reversed(_COLUMNS):
        for table in schema.with_shadow(base):
            if schema.has_column(op.get_bind(), table, column):
                op.drop_column(table, column)
