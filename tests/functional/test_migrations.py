# SPDX-License-Identifier: Apache-2.0
"""Our columns beside Nova's own schema: both chains, archiving, and the objects that use them."""

import importlib.metadata

import sqlalchemy as sa
from nova import context as nova_context
from nova import objects
from nova.cmd import manage
from nova.db import migration
from nova.db.main import api as main_db_api
from nova.objects import base as nova_base

from fpga_manage import database, schema
from tests.functional import base

#: The newest revision of a stock Nova's cell database and its version of Instance, by series.
STOCK = {
    26: ("ccb0fa1a2252", "2.7"),
    29: ("13863f4e1612", "2.8"),
    31: ("2903cd72dc14", "2.8"),
    32: ("2903cd72dc14", "2.8"),
    33: ("2903cd72dc14", "2.8"),
    34: ("ab450ba04102", "2.8"),
}
HEAD, INSTANCE = STOCK[int(importlib.metadata.version("nova").partition(".")[0])]


class OneCell(base.FunctionalTestCase):
    """A cell whose database Nova's own db_sync has made, by way of the patched call-in."""

    def _cell(self):
        return nova_context.target_cell(self.admin_context(), self.cell_mappings["cell1"])

    def _engine(self, context):
        return main_db_api.get_engine(context=context)

    def test_sync_makes_the_columns_in_tables_and_shadow_tables(self):
        with self._cell() as context:
            inspector = sa.inspect(self._engine(context))
            names = ("compute_nodes", "shadow_compute_nodes", "instances", "shadow_instances")
            found = [
                {c["name"] for c in inspector.get_columns(name) if c["name"].startswith("fpga_")}
                for name in names
            ]
        counts, device = {"fpga_regions", "fpga_regions_used"}, {"fpga_device"}
        self.assertEqual([counts, counts, device, device], found)

    def test_sync_records_our_newest_revision(self):
        with self._cell() as context:
            self.assertEqual(database.head(), database.current(self._engine(context)))

    def test_head_of_nova_stays_nova_s(self):
        with self._cell() as context:
            self.assertEqual(HEAD, migration.db_version("main", context=context))

    def test_sync_can_be_run_again(self):
        with self._cell() as context:
            migration.db_sync(context=context)
            self.assertEqual(database.head(), database.current(self._engine(context)))

    def test_sync_after_our_downgrade_brings_the_columns_back(self):
        with self._cell() as context:
            database.downgrade(self._engine(context))
            migration.db_sync(context=context)
            self.assertEqual(database.head(), database.current(self._engine(context)))

    def test_sync_to_a_named_revision_leaves_our_columns_alone(self):
        with self._cell() as context:
            database.downgrade(self._engine(context))
            migration.db_sync(version=HEAD, context=context)
            self.assertIsNone(database.current(self._engine(context)))

    def test_sync_of_the_api_database_leaves_no_trace_of_ours(self):
        migration.db_sync(database="api")
        engine = migration._get_engine("api")
        self.assertFalse(sa.inspect(engine).has_table(schema.VERSION_TABLE))

    def test_archiving_moves_our_column_to_the_shadow_table(self):
        server = self.boot(self.fpga_flavor())
        instance = self.instance(server)
        with self._cell() as context:
            main_db_api.instance_update(context, instance.uuid, {"fpga_device": "region-1"})
        self.delete(server)
        self.assertEqual(1, manage.DbCommands().archive_deleted_rows(verbose=True))
        with self._cell() as context, self._engine(context).connect() as connection:
            row = connection.execute(sa.text("SELECT uuid, fpga_device FROM shadow_instances"))
            self.assertEqual([(server["id"], "region-1")], [tuple(found) for found in row])


class Objects(base.FunctionalTestCase):
    """The fields of the versioned objects."""

    def test_instance_keeps_the_id_of_its_region(self):
        instance = self.instance(self.boot(self.plain_flavor()))
        with nova_context.target_cell(self.admin_context(), self.cell_mappings["cell1"]) as context:
            instance = objects.Instance.get_by_uuid(context, instance.uuid)
            instance.fpga_device = "region-1"
            instance.save()
            again = objects.Instance.get_by_uuid(context, instance.uuid)
        self.assertEqual("region-1", again.fpga_device)

    def test_instance_that_never_had_a_region_has_none(self):
        self.assertIsNone(self.instance(self.boot(self.plain_flavor())).fpga_device)

    def test_compute_node_keeps_its_counts(self):
        node = self.compute_node()
        with nova_context.target_cell(self.admin_context(), self.cell_mappings["cell1"]) as context:
            node = objects.ComputeNode.get_by_uuid(context, node.uuid)
            node.fpga_regions, node.fpga_regions_used = 5, 3
            node.save()
        node = self.compute_node()
        self.assertEqual((5, 3), (node.fpga_regions, node.fpga_regions_used))

    def test_fields_travel_between_services(self):
        serializer = nova_base.NovaObjectSerializer()
        context = self.admin_context()
        node = objects.ComputeNode(fpga_regions=5, fpga_regions_used=3)
        sent = serializer.serialize_entity(context, node)
        received = serializer.deserialize_entity(context, sent)
        self.assertEqual((5, 3), (received.fpga_regions, received.fpga_regions_used))

    def test_object_versions_are_those_of_a_stock_nova(self):
        versions = (objects.ComputeNode.VERSION, objects.Instance.VERSION)
        self.assertEqual(("1.19", INSTANCE), versions)

    def test_virt_driver_reports_regions_but_not_their_use(self):
        node = objects.ComputeNode()
        node.update_from_virt_driver({"fpga_regions": 2, "fpga_regions_used": 1})
        self.assertEqual((2, False), (node.fpga_regions, "fpga_regions_used" in node))
