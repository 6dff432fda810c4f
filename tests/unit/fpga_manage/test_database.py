# SPDX-License-Identifier: Apache-2.0
"""The columns come and go without harm to what else is in the database."""

import typing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from fpga_manage import database, schema
from tests.unit.fpga_manage.conftest import ADDED, NONE, TABLES, our_columns


def test_upgrade_adds_the_columns_to_tables_and_shadow_tables(engine: Engine) -> None:
    database.upgrade(engine)
    assert our_columns(engine) == ADDED
    assert database.current(engine) == database.head()


def test_new_columns_are_empty_in_old_rows(engine: Engine) -> None:
    database.upgrade(engine)
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM compute_nodes")).one()
    assert tuple(row) == (7, None, None)


def test_second_upgrade_changes_nothing(engine: Engine) -> None:
    database.upgrade(engine)
    database.upgrade(engine)
    assert our_columns(engine) == ADDED


def test_upgrade_that_was_cut_short_is_taken_up(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE compute_nodes ADD COLUMN fpga_regions INTEGER"))
    database.upgrade(engine)
    assert our_columns(engine) == ADDED


def test_downgrade_removes_every_trace_and_leaves_the_rows(engine: Engine) -> None:
    database.upgrade(engine)
    database.downgrade(engine)
    assert our_columns(engine) == NONE
    assert database.current(engine) is None
    assert sorted(sa.inspect(engine).get_table_names()) == sorted(TABLES)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT id FROM instances")).scalar() == 7


def test_downgrade_of_what_was_never_upgraded_is_done(engine: Engine) -> None:
    database.downgrade(engine)
    assert our_columns(engine) == NONE


def test_upgrade_after_a_downgrade_brings_the_columns_back(engine: Engine) -> None:
    for step in (database.upgrade, database.downgrade, database.upgrade):
        step(engine)
    assert our_columns(engine) == ADDED


def test_connection_is_left_to_its_caller_to_commit(engine: Engine) -> None:
    with engine.connect() as connection:
        database.upgrade(connection)
        assert connection.in_transaction()
        connection.commit()
    assert our_columns(engine) == ADDED


def test_version_is_known_after_nova_purged_its_shadow_tables(engine: Engine) -> None:
    database.upgrade(engine)
    _empty_the_record(engine)
    assert database.current(engine) == database.head()


def test_upgrade_writes_the_record_again_after_a_purge(engine: Engine) -> None:
    database.upgrade(engine)
    _empty_the_record(engine)
    database.upgrade(engine)
    with engine.connect() as connection:
        version = connection.execute(sa.text(f"SELECT * FROM {schema.VERSION_TABLE}")).scalar()
    assert version == database.head()


def test_downgrade_after_a_purge_removes_every_trace(engine: Engine) -> None:
    database.upgrade(engine)
    _empty_the_record(engine)
    database.downgrade(engine)
    assert our_columns(engine) == NONE
    assert sorted(sa.inspect(engine).get_table_names()) == sorted(TABLES)


def test_downgrade_after_an_upgrade_that_was_cut_short_removes_every_trace(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE compute_nodes ADD COLUMN fpga_regions INTEGER"))
    database.downgrade(engine)
    assert our_columns(engine) == NONE


@pytest.mark.parametrize("step", [database.upgrade, database.downgrade])
def test_record_of_an_earlier_fpga_nova_is_replaced(
    engine: Engine, step: typing.Callable[[Engine], None]
) -> None:
    database.upgrade(engine)
    with engine.begin() as connection:
        old = f"ALTER TABLE {schema.VERSION_TABLE} RENAME TO {schema.OLD_VERSION_TABLE}"
        connection.execute(sa.text(old))
    assert database.current(engine) == database.head()
    step(engine)
    assert schema.OLD_VERSION_TABLE not in sa.inspect(engine).get_table_names()
    assert our_columns(engine) == (ADDED if step is database.upgrade else NONE)


def _empty_the_record(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM {schema.VERSION_TABLE}"))


@pytest.mark.parametrize("table", TABLES)
def test_database_that_lacks_a_table_of_nova_is_refused(engine: Engine, table: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {table}"))
    for step in (database.upgrade, database.downgrade):
        with pytest.raises(schema.SchemaError, match=f"no table {table};"):
            step(engine)
    assert schema.VERSION_TABLE not in sa.inspect(engine).get_table_names()


def test_revisions_are_one_chain() -> None:
    versions = Path(str(database.__file__)).parent / "migrations" / "versions"
    heads = {path.name.partition("_")[0] for path in versions.glob("[0-9a-f]*_*.py")}
    assert database.head() in heads  # asking fails where there is more than one head
