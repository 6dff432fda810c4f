# SPDX-License-Identifier: Apache-2.0
"""The schema of the database: upgraded and downgraded by Alembic."""

import pathlib
import typing

import sqlalchemy as sa
from alembic import command, config, script
from alembic.runtime import migration

from fpga_api.db.connection import Database


def sync(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision; nothing happens where it is newer.

    :raises errors.DatabaseUnavailable: the database does not answer, or refuses
    """
    with database.begin() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str = "base") -> None:
    """Take the schema back to a revision, with the rows that it does not have.

    :raises errors.DatabaseUnavailable: the database does not answer, or refuses
    """
    with database.begin() as connection:
        command.downgrade(_config(connection), revision)


def current(database: Database) -> str | None:
    """The revision of the schema; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    with database.begin() as connection:
        return migration.MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """The newest revision."""
    return script.ScriptDirectory.from_config(_config(None)).get_current_head()


def _config(connection: sa.engine.Connection | None) -> config.Config:
    alembic = config.Config()
    here = str(pathlib.Path(__file__).parent / "migrations")
    alembic.set_main_option("script_location", here.replace("%", "%%"))
    attributes: dict[str, typing.Any] = alembic.attributes
    attributes["connection"] = connection
    return alembic
