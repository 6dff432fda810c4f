# SPDX-License-Identifier: Apache-2.0
"""The service's database on real servers."""

import typing

import pytest

from fpga_api.command import manage
from fpga_api.db import connection, schema
from tests.functional import servers
from tests.support import api as support
from tests.support import api_database as checks
from tests.support import api_opencl


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL])
def server(request: pytest.FixtureRequest) -> typing.Iterator[servers.Server]:
    with request.param() as running:
        running.execute("CREATE DATABASE fpga")
        yield running


@pytest.fixture
def empty(server: servers.Server) -> typing.Iterator[connection.Database]:
    database = support.database(server.url("fpga"))
    schema.downgrade(database)
    with database.begin() as one:
        one.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    yield database
    database.engine.dispose()


@pytest.fixture
def database(empty: connection.Database) -> connection.Database:
    schema.sync(empty)
    return empty


def test_schema_goes_up_and_down(empty: connection.Database) -> None:
    checks.schema_goes_up_and_down(empty)


def test_samples_come_back(database: connection.Database) -> None:
    checks.samples_come_back(database)


@pytest.mark.parametrize(
    "check",
    [
        checks.claims_come_back,
        checks.claims_come_in_pages,
        checks.project_gets_as_many_claims_as_its_limit,
        checks.programs_come_back,
        checks.one_of_many_programs_a_server,
        *api_opencl.CHECKS,
    ],
)
def test_claims_programs_and_sessions(
    database: connection.Database, check: typing.Callable[[connection.Database], None]
) -> None:
    check(database)


def test_one_of_many_gets_the_lease(database: connection.Database) -> None:
    checks.one_of_many_gets_the_lease(database)


def test_command_makes_the_schema(
    empty: connection.Database,
    server: servers.Server,
    tmp_path: typing.Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "fpga-api.conf"
    file.write_text(f"[database]\nconnection = {server.url('fpga')}\n")
    assert manage.main(["--config-file", str(file), "db", "sync"]) == 0
    assert capsys.readouterr().out == f"{schema.head()} (up to date)\n"
    assert schema.current(empty) == schema.head()
