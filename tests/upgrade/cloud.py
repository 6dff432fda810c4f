# SPDX-License-Identifier: Apache-2.0
"""A cloud's databases on a server of the tests' own, and its operator's commands."""

import dataclasses
import json
import os
import pathlib
import subprocess
import typing

import sqlalchemy as sa
from matrix_environment import Environment

from tests.functional import servers

_AT_WORK = pathlib.Path(__file__).with_name("at_work.py")

#: A Placement that is away for now: nova-conductor wants to know where one is.
_SETTINGS = """\
[DEFAULT]
transport_url = {broker}
[conductor]
workers = 1
[placement]
auth_type = none
endpoint = http://127.0.0.1:9
[database]
connection = {cell}
[api_database]
connection = {api}
"""
_PATIENCE = 300  # seconds


@dataclasses.dataclass
class Cloud:
    """An API database, a cell with cell0, and two databases that only stock Nova made."""

    server: servers.Server
    folder: pathlib.Path
    broker: str = "fake:/"

    def __post_init__(self) -> None:
        for database in ("api", "cell0", "cell1", "stock_api", "stock"):
            self.server.execute(f"CREATE DATABASE {database}")

    def configuration(self, cell: str = "cell1") -> str:
        """The file that names a cell's database and the API's."""
        api = "stock_api" if cell == "stock" else "api"
        file = self.folder / f"{cell}.conf"
        cell, api = self.server.url(cell), self.server.url(api)
        file.write_text(_SETTINGS.format(broker=self.broker, cell=cell, api=api))
        return str(file)

    def nova_manage(self, nova: Environment, *arguments: str, cell: str = "cell1") -> None:
        """Run the nova-manage of a release, which must end with 0; or with 1 where it archived."""
        program = str(nova.folder / "bin" / "nova-manage")
        archives = "archive_deleted_rows" in arguments
        done = (0, 1) if archives else (0,)
        _run(program, "--config-file", self.configuration(cell), *arguments, done=done)

    def make_stock(self, nova: Environment) -> None:
        """Make the stock databases by a Nova that is not patched."""
        for sync in (("api_db", "sync"), ("db", "sync", "--local_cell")):
            self.nova_manage(nova, *sync, cell="stock")

    def map_cells(self, nova: Environment) -> None:
        """Tell the API database of both cells."""
        cell0 = ("--database_connection", self.server.url("cell0"))
        self.nova_manage(nova, "cell_v2", "map_cell0", *cell0)
        self.nova_manage(nova, "cell_v2", "create_cell", "--name", "cell1")

    def at_work(self, nova: Environment, *arguments: str, **more: str) -> typing.Any:
        """Do a step of at_work.py by the objects of a release, with ``more`` in its environment."""
        file = self.configuration()
        output = _run(str(nova.python), str(_AT_WORK), file, *arguments, **more)
        return json.loads(output.splitlines()[-1])

    def fpga_manage(self, nova: Environment, verb: str, cell: str) -> None:
        """Run our command on a cell."""
        program = str(nova.folder / "bin" / "fpga-manage")
        _run(program, "db", verb, "--connection", self.server.url(cell))

    def execute(self, statement: str) -> list[tuple[typing.Any, ...]]:
        """Run a statement in the cell."""
        engine = sa.create_engine(self.server.url("cell1"), poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []


def environment(**more: str) -> dict[str, str]:
    """That of a service of Nova; whether it runs on eventlet is its release's own affair."""
    own = os.environ | more
    own.pop("OS_NOVA_DISABLE_EVENTLET_PATCHING", None)
    return own


def _run(*command: str, done: tuple[int, ...] = (0,), **more: str) -> str:
    result = subprocess.run(
        command,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
    assert result.returncode in done, (
        f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
    )
    return result.stdout
