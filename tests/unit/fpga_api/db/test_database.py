# SPDX-License-Identifier: Apache-2.0
"""The database on SQLite, and a database that is not there."""

import typing

import pytest

from fpga_api import errors
from fpga_api.db import connection, leases, samples, schema
from tests.support import api as support
from tests.support import api_database as checks
from tests.support import api_opencl


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


def test_no_samples_are_no_statement(empty: connection.Database) -> None:
    samples.add(empty, [])


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql+pymysql://u@127.0.0.1:1/fpga", "sqlite:////nowhere/fpga"]
)
def test_database_that_cannot_be_used_is_a_failure_of_its_own(url: str) -> None:
    database = support.database(url)
    uses: list[typing.Callable[[], object]] = [
        lambda: schema.current(database),
        lambda: samples.of_flavor(database, "f", checks.AT),
        lambda: leases.Lease(database, "engine", "me", 1).hold(),
    ]
    for use in uses:
        with pytest.raises(errors.DatabaseUnavailable):
            use()


def test_database_without_its_schema_is_a_failure_of_its_own(empty: connection.Database) -> None:
    with pytest.raises(errors.DatabaseUnavailable):
        samples.of_flavor(empty, "f", checks.AT)
