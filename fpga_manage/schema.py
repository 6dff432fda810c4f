# SPDX-License-Identifier: Apache-2.0
"""The columns and tables that the revisions work on, looked up in the database at hand.

Every revision asks first: a run that was cut short (MariaDB commits each statement by itself) is
taken up where it ended.
"""

import sqlalchemy as sa

#: Alembic's record of our revisions. ``nova-manage db archive_deleted_rows``, of a Nova without the
#: patch, too, fails at a table that it has no model of, unless its name begins so. The price:
#: ``nova-manage db purge --all`` empties it, and then the columns show it.
VERSION_TABLE = "shadow_alembic_version_fpga"

#: Its name in an earlier fpga-nova.
OLD_VERSION_TABLE = "alembic_version_fpga"

#: The columns of the newest revision, by table.
COLUMNS = {"compute_nodes": ("fpga_regions", "fpga_regions_used"), "instances": ("fpga_device",)}

#: Any of them distinguishes a Nova cell database from others, Nova's API database among them.
NOVA_TABLES = ("compute_nodes", "instances")


class SchemaError(Exception):
    """The database is not a Nova cell database."""


def with_shadow(table: str) -> tuple[str, str]:
    """A table and the one that Nova archives its deleted rows to; their columns must be alike."""
    return table, f"shadow_{table}"


def has_column(bind: sa.engine.Connection, table: str, column: str) -> bool:
    """Whether a table has a column."""
    return column in {entry["name"] for entry in sa.inspect(bind).get_columns(table)}


def is_complete(bind: sa.engine.Connection) -> bool:
    """Whether a Nova cell database has every column of ours."""
    return all(
        sa.inspect(bind).has_table(table) and has_column(bind, table, column)
        for base, columns in COLUMNS.items()
        for table in with_shadow(base)
        for column in columns
    )


def check_is_nova(bind: sa.engine.Connection) -> None:
    """Refuse a database without Nova's tables.

    :raises SchemaError: a table is missing
    """
    inspector = sa.inspect(bind)
    tables = [name for table in NOVA_TABLES for name in with_shadow(table)]
    missing = [table for table in tables if not inspector.has_table(table)]
    if missing:
        raise SchemaError(
            f"not the database of a Nova cell: no table {', '.join(missing)}; give the cell's "
            "own database (not nova_api) and run 'nova-manage db sync' first"
        )
