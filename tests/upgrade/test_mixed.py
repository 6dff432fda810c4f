# SPDX-License-Identifier: Apache-2.0
"""Services with and without the patch in one cloud: real ones, by RabbitMQ, on one database.

What nova-compute does with its objects goes through the nova-conductor of the other kind.
"""

import contextlib
import shutil
import subprocess
import typing

import pytest
from matrix_environment import Environment

from tests.functional import servers
from tests.upgrade import broker
from tests.upgrade.at_work import NODE, SERVER
from tests.upgrade.cloud import Cloud, environment

NOTHING: dict[str, typing.Any] = {}
SET = (tuple(NODE.values()), tuple(SERVER.values()))
UNSET = ((None, None), (None,))


class Mixed:
    """A cloud of one series whose services are patched or not, as asked.

    The environment's Nova is patched; a copy from before serves those that are not.
    """

    def __init__(self, nova: Environment, cloud: Cloud) -> None:
        self.nova = nova
        self.cloud = cloud
        self._stock = cloud.folder / "stock"
        nova.patch("revert")
        installed = next(nova.folder.glob("lib/python3*/site-packages/nova"))
        no_tests = shutil.ignore_patterns("tests", "__pycache__")
        shutil.copytree(installed, self._stock / "nova", ignore=no_tests)
        nova.patch("apply")

    def make(self) -> None:
        """Make the databases and a compute host; nobody has set our fields yet."""
        self.cloud.nova_manage(self.nova, "api_db", "sync")
        self.cloud.map_cells(self.nova)
        self.cloud.nova_manage(self.nova, "db", "sync")
        self.compute("start", "host1", patched=False, by="")

    def compute(
        self, *step: str, patched: bool, by: str = "--by-conductor"
    ) -> dict[str, dict[str, typing.Any]]:
        """Do a step of at_work.py as a patched nova-compute does it, or as a stock one."""
        rows: dict[str, dict[str, typing.Any]] = self.cloud.at_work(
            self.nova, *step, *filter(None, [by]), **self._path(patched)
        )
        return rows

    @contextlib.contextmanager
    def conductor(self, patched: bool) -> typing.Iterator[None]:
        """Run nova-conductor, patched or not."""
        program = str(self.nova.folder / "bin" / "nova-conductor")
        command = [program, "--config-file", self.cloud.configuration()]
        log = self.cloud.folder / f"conductor-{patched}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment(**self._path(patched)), stdout=output, stderr=output
            )
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait()

    def _path(self, patched: bool) -> dict[str, str]:
        return {} if patched else {"PYTHONPATH": str(self._stock)}

    def values(self) -> tuple[tuple[typing.Any, ...], ...]:
        """What the database has for the node, and for the server."""
        node = self.cloud.execute(f"SELECT {', '.join(NODE)} FROM compute_nodes WHERE deleted = 0")
        server = self.cloud.execute(f"SELECT {', '.join(SERVER)} FROM instances WHERE deleted = 0")
        return (*node, *server)


@pytest.fixture(scope="module")
def transport() -> typing.Iterator[str]:
    with broker.RabbitMQ() as running:
        yield running.url


@pytest.fixture(scope="module", params=(26, 29, 31, 32, 33, 34))
def mixed(
    request: pytest.FixtureRequest, transport: str, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[Mixed]:
    nova = Environment(request.param)
    if not nova.python.exists():
        pytest.skip("its environment was not made")
    with servers.MariaDB() as server:
        stage = Mixed(nova, Cloud(server, tmp_path_factory.mktemp("mixed"), transport))
        stage.make()
        yield stage
        nova.patch("revert")


@pytest.fixture
def cloud(mixed: Mixed) -> Mixed:
    """A compute host and a server whose fields of ours nobody has set."""
    for table, columns in (("compute_nodes", NODE), ("instances", SERVER)):
        nothing = ", ".join(f"{column} = NULL" for column in columns)
        mixed.cloud.execute(f"UPDATE {table} SET {nothing}")
    assert mixed.values() == UNSET
    return mixed


def test_fields_travel_where_both_are_patched(cloud: Mixed) -> None:
    with cloud.conductor(patched=True):
        cloud.compute("report", patched=True)
        rows = cloud.compute("go_on", patched=True)
    assert cloud.values() == SET
    assert list(rows.values()) == [NODE, SERVER]


def test_what_a_patched_compute_reports_to_a_stock_conductor_is_dropped(cloud: Mixed) -> None:
    with cloud.conductor(patched=False):
        cloud.compute("report", patched=True)
        rows = cloud.compute("go_on", patched=True)
    assert cloud.values() == UNSET
    assert list(rows.values()) == [NOTHING, NOTHING]


def test_what_is_in_the_database_outlives_a_stock_conductor(cloud: Mixed) -> None:
    cloud.compute("report", patched=True, by="")
    with cloud.conductor(patched=False):
        cloud.compute("go_on", patched=True)
    assert cloud.values() == SET


def test_what_is_in_the_database_outlives_a_stock_compute(cloud: Mixed) -> None:
    cloud.compute("report", patched=True, by="")
    with cloud.conductor(patched=True):
        rows = cloud.compute("go_on", patched=False)
    assert cloud.values() == SET
    assert list(rows.values()) == [NOTHING, NOTHING]
