# SPDX-License-Identifier: Apache-2.0
"""A database with the few of Nova's tables that matter, in a SQLite file."""

import typing
from pathlib import Path

import pytest
import sqlalchemy as sa

from fpga_manage import schema

TABLES = [table for base in schema.NOVA_TABLES for table in schema.with_shadow(base)]


def url(folder: Path) -> str:
    """The URL of the database in a folder."""
    return f"sqlite:///{folder / 'nova.sqlite'}"


def our_columns(engine: sa.engine.Engine) -> dict[str, set[str]]:
    """The columns of ours that each table has."""
    inspector = sa.inspect(engine)
    return {table: {c["name"] for c in inspector.get_columns(table)} & set(ALL) for table in TABLES}


ALL = ("fpga_regions", "fpga_regions_used", "fpga_device")
COUNTS, DEVICE = {"fpga_regions", "fpga_regions_used"}, {"fpga_device"}
ADDED = {
    "compute_nodes": COUNTS,
    "shadow_compute_nodes": COUNTS,
    "instances": DEVICE,
    "shadow_instances": DEVICE,
}
NONE: dict[str, set[str]] = {table: set() for table in ADDED}


@pytest.fixture
def engine(tmp_path: Path) -> typing.Iterator[sa.engine.Engine]:
    """A cell's database with one row in each table."""
    # SQLAlchemy 1.4 commits DDL by itself unless it is told to do as 2.0 does.
    engine = sa.create_engine(url(tmp_path), future=True)
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(sa.text(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY)"))
            connection.execute(sa.text(f"INSERT INTO {table} VALUES (7)"))
    yield engine
    engine.dispose()
