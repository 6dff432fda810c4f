# SPDX-License-Identifier: Apache-2.0
"""The columns that fpga-nova adds to a Nova cell database, as an Alembic environment of its own.

Nova's chain of revisions is left alone: a revision tied to it would break the next release's
``nova-manage db sync``. A table of our own records what was done. Alembic gets its configuration
from code.
"""

import contextlib
import pathlib
import typing

import sqlalchemy as sa
from alembic import command, config, script
from alembic.runtime import migration

from fpga_manage import schema

#: What the functions here take; SQLAlchemy 1.4 (Nova 26 and 29) knows the types by no other name.
#: On an engine they commit; a connection's commit is its caller's.
Bind = sa.engine.Connection | sa.engine.Engine


def upgrade(bind: Bind) -> None:
    """Bring the columns up to date; nothing happens where they are.

    :raises schema.SchemaError: it is no Nova cell database
    :raises sqlalchemy.exc.SQLAlchemyError: the database refused
    """
    with _connection(bind) as connection:
        schema.check_is_nova(connection)
        command.upgrade(_config(connection), "head")
        _drop(connection, schema.OLD_VERSION_TABLE)


def downgrade(bind: Bind) -> None:
    """Remove the columns, with what they hold, and the version table.

    A patched Nova cannot work with the database any more: take the patch back first.

    :raises schema.SchemaError: it is no Nova cell database
    :raises sqlalchemy.exc.SQLAlchemyError: the database refused
    """
    with _connection(bind) as connection:
        schema.check_is_nova(connection)
        # What is recorded may be less than what is there: see VERSION_TABLE; or an upgrade was cut
        # short. Each revision asks before it removes something.
        command.stamp(_config(connection), "head")
        command.downgrade(_config(connection), "base")
        for table in (schema.VERSION_TABLE, schema.OLD_VERSION_TABLE):
            _drop(connection, table)


def current(bind: Bind) -> str | None:
    """The revision that the database is at; None where there is none of ours."""
    with _connection(bind) as connection:
        options = {"version_table": schema.VERSION_TABLE}
        record = migration.MigrationContext.configure(connection, opts=options)
        revision: str | None = record.get_current_revision()
        return revision or (head() if schema.is_complete(connection) else None)


def head() -> str | None:
    """The newest revision there is."""
    return script.ScriptDirectory.from_config(_config(None)).get_current_head()


def _drop(connection: sa.engine.Connection, table: str) -> None:
    sa.Table(table, sa.MetaData()).drop(connection, checkfirst=True)


def _config(connection: sa.engine.Connection | None) -> config.Config:
    alembic = config.Config()
    here = str(pathlib.Path(__file__).parent / "migrations")
    alembic.set_main_option("script_location", here.replace("%", "%%"))
    alembic.attributes["connection"] = connection
    return alembic


@contextlib.contextmanager
def _connection(bind: Bind) -> typing.Iterator[sa.engine.Connection]:
    if isinstance(bind, sa.engine.Connection):
        yield bind
        return
    with bind.begin() as connection:
        yield connection
