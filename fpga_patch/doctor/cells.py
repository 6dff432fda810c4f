# SPDX-License-Identifier: Apache-2.0
"""Whether the databases of all cells have the columns."""

import sqlalchemy as sa
from sqlalchemy import exc

from fpga_manage import database
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import Settings


def columns(settings: Settings) -> list[Finding]:
    """The database of the configuration, and of each cell that the API database knows."""
    urls = {}
    if settings.conf.database.connection:
        urls["[database] connection"] = settings.conf.database.connection
    try:
        urls |= _cells(settings.conf.api_database.connection)
    except exc.SQLAlchemyError as e:
        return [_unread("the API database", e)]
    if not urls:
        text = "no [database] connection here: run 'fpga-manage db version' where there is one"
        return [Finding("database", "skipped", text)]
    return [_column(name, url) for name, url in urls.items()]


def _cells(api: str | None) -> dict[str, str]:
    if api is None:
        return {}
    with sa.create_engine(api).connect() as connection:
        rows = connection.execute(sa.text("SELECT name, database_connection FROM cell_mappings"))
        return {f"cell {name}": url for name, url in rows if url and "{" not in url}


def _column(name: str, url: str) -> Finding:
    try:
        is_at = database.current(sa.create_engine(url))
    except (exc.SQLAlchemyError, ModuleNotFoundError) as e:
        return _unread(name, e)
    if is_at == database.head():
        return Finding("database", "ok", f"{name}: {is_at}")
    text = f"{name}: {is_at or 'no columns of ours'}, wanted {database.head()}"
    return Finding(
        "database", "missing", text, "nova-manage db sync, or fpga-manage db upgrade, for that cell"
    )


def _unread(name: str, why: Exception) -> Finding:
    return Finding("database", "missing", f"{name} cannot be read: {str(why).splitlines()[0]}")
