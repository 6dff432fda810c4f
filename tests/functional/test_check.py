# SPDX-License-Identifier: Apache-2.0
"""fpga-manage check, on the databases that Nova itself has filled."""

import contextlib
import io
import json

import fixtures
import sqlalchemy as sa
from nova.db.main import api as main_db_api

from fpga_manage import command
from fpga_manage.check import sources
from fpga_nova import host_status
from tests.functional.service.test_claims import ClaimsTestCase
from tests.functional.test_placement import PlacementTestCase

NOBODY = "99999999-9999-4999-8999-999999999999"


class Check(PlacementTestCase):
    """A host with two regions."""

    def get(self, path):
        answer = self.placement.get(path, version=sources.MICROVERSION)
        return answer.body if answer.status == 200 else None

    def codes(self):
        with self.in_cell() as context:
            database = sources.Database(main_db_api.get_engine(context=context))
        statuses = {"host1": host_status.read(self.host.status())}
        return [f.code for f in sources.findings(database, statuses, self.get)]

    def execute(self, statement, **values):
        with self.in_cell() as context:
            engine = main_db_api.get_engine(context=context)
            with engine.begin() as connection:
                connection.execute(sa.text(statement), values)

    def command(self, *arguments):
        """Run fpga-manage check on the cell's database; exit status and standard output."""
        with self.in_cell() as context:
            engine = main_db_api.get_engine(context=context)
        self.useFixture(fixtures.MonkeyPatch("fpga_manage.command._engine", lambda _: engine))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            return command.main(["check", *arguments]), out.getvalue()

    def test_nothing_is_found_on_a_host_without_servers(self):
        self.assertEqual([], self.codes())

    def test_nothing_is_found_beside_servers_with_and_without_a_region(self):
        self.boot(self.resource_flavor())
        self.boot(self.plain_flavor())
        self.assertEqual([], self.codes())

    def test_nothing_is_left_to_find_after_a_delete(self):
        self.delete(self.boot(self.resource_flavor()))
        self.assertEqual([], self.codes())

    def test_column_that_differs_is_found_until_the_audit_repairs_it(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.execute("UPDATE instances SET fpga_device = 'x' WHERE uuid = :u", u=server["id"])
        self.assertEqual(["device-differs"], self.codes())
        self.audit()
        self.assertEqual([], self.codes())

    def test_orphan_is_found_until_the_audit_erases_it(self):
        self.host.burn(self.image, "--owner", NOBODY)
        self.assertEqual(["region-without-instance"], self.codes())
        self.audit()
        self.assertEqual([], self.codes())

    def test_lost_configuration_is_found_until_the_audit_burns_it_again(self):
        self.boot(self.fpga_flavor(self.image))
        self.host.close()
        self.assertEqual(["configuration-lost"], self.codes())
        self.audit()
        self.assertEqual([], self.codes())

    def allocate(self, consumer):
        """Give a region in Placement to a consumer."""
        url = f"/allocations/{consumer}"
        body = {
            "allocations": {self.provider(): {"resources": {"CUSTOM_FPGA_REGION": 1}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
        }
        self.assertEqual(204, self.placement.put(url, body, version="1.28").status)

    def test_allocation_of_nobody_is_found(self):
        self.allocate(NOBODY)
        self.assertEqual(["allocation-orphan"], self.codes())

    def test_allocation_of_a_migration_whose_instance_was_deleted_is_found(self):
        self.execute(
            "INSERT INTO migrations (uuid, instance_uuid, source_compute, dest_compute, status, "
            "deleted) VALUES (:u, :u, 'host1', 'host2', 'finished', 0)",
            u=NOBODY,
        )
        self.allocate(NOBODY)
        self.assertEqual(["allocation-orphan"], self.codes())

    def test_command_reports_it_in_json_and_by_its_exit_status(self):
        self.host.burn(self.image, "--owner", NOBODY)
        file = self.host.folder / "status.json"
        file.write_text(json.dumps(self.host.status()))
        code, out = self.command("--status", f"host1={file}", "--no-placement", "--format", "json")
        found = json.loads(out)["findings"]
        self.assertEqual((3, ["region-without-instance"]), (code, [f["code"] for f in found]))
        self.assertEqual(
            (0, "0 found on 1 hosts, 0 with a status\n"), self.command("--no-placement")
        )


class CheckOfClaims(ClaimsTestCase):
    """A claim is no instance, and nothing is wrong with that."""

    get = Check.get
    codes = Check.codes

    def test_nothing_is_found_beside_claims(self):
        self.held()
        self.held(bitstream=self.image)
        self.audit()
        self.assertEqual([], self.codes())

    def test_region_whose_claim_has_no_allocation_is_found_until_the_audit_erases_it(self):
        claim, _document = self.held()
        self.audit()
        self.placement.delete(f"/allocations/{claim}")
        self.assertIn("region-without-instance", self.codes())
        for _ in range(2):
            self.audit()
        self.assertEqual([], self.codes())
