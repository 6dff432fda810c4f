# SPDX-License-Identifier: Apache-2.0
"""Our columns on real servers, beside the schema and the commands of Nova itself."""

import dataclasses
import pathlib
import subprocess
import sys
import typing

import pytest
import sqlalchemy as sa

from fpga_manage import command, database, schema
from tests.functional import servers

ALL = ("fpga_regions", "fpga_regions_used", "fpga_device")
COUNTS, DEVICE = {"fpga_regions", "fpga_regions_used"}, {"fpga_device"}
ADDED = {
    "compute_nodes": COUNTS,
    "instances": DEVICE,
    "shadow_compute_nodes": COUNTS,
    "shadow_instances": DEVICE,
}
NONE: dict[str, set[str]] = {table: set() for table in ADDED}


@dataclasses.dataclass
class Cloud:
    """A server with three databases: Nova's API, a cell, and a cell that only stock Nova made."""

    server: servers.Server
    folder: pathlib.Path

    def nova_manage(self, database: str, *arguments: str) -> str:
        """Run the patched nova-manage with a database as its cell; what it prints."""
        file = self.folder / f"{database}.conf"
        file.write_text(
            f"[database]\nconnection = {self.server.url(database)}\n"
            f"[api_database]\nconnection = {self.server.url('nova_api')}\n"
        )
        nova_manage = str(pathlib.Path(sys.executable).with_name("nova-manage"))
        result = subprocess.run(
            [nova_manage, "--config-file", str(file), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode in (0, 1), result.stdout + result.stderr
        return result.stdout

    def engine(self, database: str) -> sa.engine.Engine:
        """To look into a database."""
        return sa.create_engine(self.server.url(database), poolclass=sa.pool.NullPool)

    def ours(self, database: str = "nova") -> dict[str, set[str]]:
        """The columns of ours that each table has."""
        inspector = sa.inspect(self.engine(database))
        found = {table: inspector.get_columns(table) for table in ADDED}
        return {table: {c["name"] for c in columns} & set(ALL) for table, columns in found.items()}

    def execute(self, statement: str) -> list[tuple[typing.Any, ...]]:
        """Run a statement in the cell."""
        with self.engine("nova").begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    def fpga_manage(self, verb: str) -> int:
        """Our command, on the cell."""
        return command.main(["db", verb, "--connection", self.server.url("nova")])


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[Cloud]:
    with request.param() as server:
        cloud = Cloud(server, tmp_path_factory.mktemp("nova"))
        for database in ("nova_api", "nova", "stock"):
            server.execute(f"CREATE DATABASE {database}")
        cloud.nova_manage("nova", "api_db", "sync")
        for database in ("nova", "stock"):  # to a named revision, which leaves ours out
            cloud.nova_manage(database, "db", "sync", "--local_cell", "head")
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    """The cell as stock Nova made it, without rows."""
    database.downgrade(running.engine("nova"))
    for table in ADDED:
        running.execute(f"DELETE FROM {table}")
    assert running.ours() == NONE
    return running


def test_upgrade_adds_the_columns(cloud: Cloud) -> None:
    assert cloud.fpga_manage("upgrade") == 0
    assert cloud.ours() == ADDED


def test_second_upgrade_changes_nothing(cloud: Cloud) -> None:
    cloud.fpga_manage("upgrade")
    once = cloud.server.schema("nova")
    assert cloud.fpga_manage("upgrade") == 0
    assert cloud.server.schema("nova") == once


def test_upgrade_that_was_cut_short_is_taken_up(cloud: Cloud) -> None:
    cloud.execute("ALTER TABLE compute_nodes ADD COLUMN fpga_regions INTEGER")
    assert cloud.fpga_manage("upgrade") == 0
    assert cloud.ours() == ADDED


def test_downgrade_leaves_what_a_fresh_stock_nova_has(cloud: Cloud) -> None:
    cloud.fpga_manage("upgrade")
    assert cloud.server.schema("nova") != cloud.server.schema("stock")
    assert cloud.fpga_manage("downgrade") == 0
    assert cloud.server.schema("nova") == cloud.server.schema("stock")


def test_second_downgrade_changes_nothing(cloud: Cloud) -> None:
    assert cloud.fpga_manage("downgrade") == 0
    assert cloud.server.schema("nova") == cloud.server.schema("stock")


def test_sync_of_a_patched_nova_brings_the_columns(cloud: Cloud) -> None:
    cloud.nova_manage("nova", "db", "sync", "--local_cell")
    assert cloud.ours() == ADDED
    assert database.current(cloud.engine("nova")) == database.head()


def test_sync_after_our_upgrade_leaves_both_chains_at_their_heads(cloud: Cloud) -> None:
    cloud.fpga_manage("upgrade")
    version = cloud.execute("SELECT version_num FROM alembic_version")
    cloud.nova_manage("nova", "db", "sync", "--local_cell")
    assert cloud.execute("SELECT version_num FROM alembic_version") == version
    assert database.current(cloud.engine("nova")) == database.head()


def test_api_database_is_refused(cloud: Cloud) -> None:
    with pytest.raises(schema.SchemaError):
        database.upgrade(cloud.engine("nova_api"))


def _delete_a_compute_node(cloud: Cloud) -> None:
    numbers = "vcpus, memory_mb, local_gb, vcpus_used, memory_mb_used, local_gb_used"
    cloud.execute(
        f"INSERT INTO compute_nodes ({numbers}, hypervisor_type, hypervisor_version, cpu_info, "
        "deleted_at, deleted, fpga_regions, fpga_regions_used) "
        "VALUES (1, 1, 1, 0, 0, 0, 'docker', 1, '', '2026-01-02 00:00:00', 1, 4, 3)"
    )


def test_archiving_keeps_the_regions_of_a_deleted_compute_node(cloud: Cloud) -> None:
    cloud.fpga_manage("upgrade")
    _delete_a_compute_node(cloud)
    output = cloud.nova_manage("nova", "db", "archive_deleted_rows", "--verbose")
    assert cloud.execute("SELECT id FROM compute_nodes") == [], output
    columns = "fpga_regions, fpga_regions_used"
    assert cloud.execute(f"SELECT {columns} FROM shadow_compute_nodes") == [(4, 3)]


def test_archiving_keeps_the_region_of_a_deleted_instance(cloud: Cloud) -> None:
    if isinstance(cloud.server, servers.PostgreSQL):
        # instances.locked_by and shadow_instances.locked_by have two types there, by Nova's schema.
        pytest.skip("no Nova archives instances on PostgreSQL")
    cloud.fpga_manage("upgrade")
    cloud.execute(
        "INSERT INTO instances (uuid, project_id, created_at, deleted_at, deleted, fpga_device) "
        "VALUES ('7d2c0f4e-6f0c-4c7e-8a4b-0d5a9ff0c001', 'p', '2026-01-01 00:00:00', "
        "'2026-01-02 00:00:00', 1, 'region-1')"
    )
    output = cloud.nova_manage("nova", "db", "archive_deleted_rows", "--verbose")
    assert cloud.execute("SELECT uuid FROM instances") == [], output
    assert cloud.execute("SELECT fpga_device FROM shadow_instances") == [("region-1",)]


def test_purge_empties_the_shadow_tables(cloud: Cloud) -> None:
    cloud.fpga_manage("upgrade")
    cloud.execute(
        "INSERT INTO shadow_instances (id, uuid, deleted_at, deleted, fpga_device) "
        "VALUES (1, 'u', '2026-01-02 00:00:00', 1, 'region-1')"
    )
    output = cloud.nova_manage("nova", "db", "purge", "--all", "--verbose")
    assert cloud.execute("SELECT uuid FROM shadow_instances") == [], output
    assert database.current(cloud.engine("nova")) == database.head()


def test_rows_survive_up_and_down(cloud: Cloud) -> None:
    cloud.execute("INSERT INTO instances (uuid, project_id, deleted) VALUES ('u', 'p', 0)")
    cloud.fpga_manage("upgrade")
    cloud.execute("UPDATE instances SET fpga_device = 'region-1'")
    cloud.fpga_manage("downgrade")
    assert cloud.execute("SELECT uuid, project_id FROM instances") == [("u", "p")]
