# SPDX-License-Identifier: Apache-2.0
"""A cloud that goes through the releases of Nova, patched, with data in each column of ours.

Real releases in the environments of the matrix, real servers. At each stop an operator patches Nova
and brings the databases up to date; the services work; rows are archived and purged; the patch is
taken back for the next release to come.
"""

import pathlib
import typing

import pytest
from matrix_environment import Environment

from tests.functional import servers
from tests.upgrade.at_work import NODE, SERVER
from tests.upgrade.cloud import Cloud

STOPS = (26, 29, 31, 33, 34)

_COLUMNS = {"compute_nodes": tuple(NODE), "instances": tuple(SERVER)}
_DELETED_LONG_AGO = "UPDATE compute_nodes SET deleted_at = '2000-01-01 00:00:00' WHERE uuid = '{}'"

#: The row that one of Nova's online data migrations makes.
_MARKER = "00000000-0000-0000-0000-000000000000"

Values = tuple[typing.Any, ...]


class Chain:
    """The way of one cloud.

    :ivar rows: what each table has to have in our columns, by UUID
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        # No Nova archives instances on PostgreSQL: docs/migrations.md tells why.
        self.archives_servers = not isinstance(cloud.server, servers.PostgreSQL)
        self.rows: dict[str, dict[str, Values]] = {
            f"{shadow}{table}": {} for table in _COLUMNS for shadow in ("", "shadow_")
        }
        self.server: str | None = None

    def stop_at(self, series: int, patched: bool) -> None:
        """Bring the cloud to a release and use it there."""
        nova = Environment(series)
        nova.patch("apply" if patched else "revert")
        self.cloud.nova_manage(nova, "api_db", "sync")
        if series == STOPS[0]:
            self.cloud.map_cells(nova)
        self.cloud.nova_manage(nova, "db", "sync")
        self.cloud.nova_manage(nova, "db", "online_data_migrations")
        self.check(f"after the sync of {series}")
        self._use(nova, patched)
        self._archive(nova)
        self.check(f"after the use of {series}")
        assert self.go_on(nova) == self._as_objects(patched)
        self.check(f"at the end of {series}")
        nova.patch("revert")

    def _use(self, nova: Environment, patched: bool) -> None:
        ids = self.cloud.at_work(nova, "start", f"host{nova.series}")
        node, server = (tuple(values.values()) if patched else () for values in (NODE, SERVER))
        node, server = node or (None, None), server or (None,)
        if self.server and self.archives_servers:
            self.cloud.at_work(nova, "end", self.server)
            before = self.rows["instances"].pop(self.server)
            self.rows["shadow_instances"][self.server] = before if patched else (None,)
        self.server = ids["server"]
        self.rows["compute_nodes"][ids["node"]] = node
        self.rows["shadow_compute_nodes"][ids["gone"]] = node
        self.rows["instances"][ids["server"]] = server
        if self.archives_servers:
            self.rows["shadow_instances"][ids["gone_server"]] = server
        else:
            self.rows["instances"][ids["gone_server"]] = server
            self.cloud.execute("UPDATE instances SET deleted = 0, deleted_at = NULL")
        self.cloud.execute(_DELETED_LONG_AGO.format(ids["long_gone"]))

    def _archive(self, nova: Environment) -> None:
        """Archive all that is deleted, and purge what was deleted long ago."""
        self.cloud.nova_manage(nova, "db", "archive_deleted_rows", "--until-complete")
        self.cloud.nova_manage(nova, "db", "purge", "--before", "2001-01-01")

    def go_on(self, nova: Environment) -> dict[str, dict[str, typing.Any]]:
        """Have all that is alive changed by a release's objects; their FPGA fields."""
        rows: dict[str, dict[str, typing.Any]] = self.cloud.at_work(nova, "go_on")
        rows.pop(_MARKER, None)
        return rows

    def check(self, when: str) -> None:
        """Compare our columns in all rows with what they have to hold."""
        for table, rows in self.rows.items():
            columns = ", ".join(_COLUMNS[table.removeprefix("shadow_")])
            query = f"SELECT uuid, {columns} FROM {table} WHERE uuid <> '{_MARKER}'"
            found = self.cloud.execute(query)
            assert {uuid: tuple(values) for uuid, *values in found} == rows, f"{table} {when}"

    def _as_objects(self, patched: bool) -> dict[str, dict[str, typing.Any]]:
        """What the objects of a release tell of the rows that are not archived."""
        return {
            uuid: dict(zip(columns, values, strict=True)) if patched else {}
            for table, columns in _COLUMNS.items()
            for uuid, values in self.rows[table].items()
        }


@pytest.mark.parametrize(
    ("kind", "forgotten"),
    [(servers.MariaDB, None), (servers.MariaDB, 31), (servers.PostgreSQL, None)],
    ids=["MariaDB", "MariaDB, forgotten in 31", "PostgreSQL"],
)
def test_no_row_is_lost_and_no_sync_breaks(
    kind: type[servers.Server], forgotten: int | None, tmp_path: pathlib.Path
) -> None:
    with kind() as server:
        cloud = Cloud(server, tmp_path)
        chain = Chain(cloud)
        for series in STOPS:
            chain.stop_at(series, series != forgotten)
        newest = Environment(STOPS[-1])
        for cell in ("cell0", "cell1"):
            cloud.fpga_manage(newest, "downgrade", cell)
        cloud.make_stock(newest)
        assert server.schema("cell0") == server.schema("stock")
        assert server.schema("cell1") == server.schema("stock")
        assert set(chain.go_on(newest)) == {
            *chain.rows["compute_nodes"],
            *chain.rows["instances"],
        }
