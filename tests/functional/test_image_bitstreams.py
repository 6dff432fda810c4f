# SPDX-License-Identifier: Apache-2.0
"""Servers whose image, not whose flavor, names the bitstream."""

import fixtures
from nova.tests.fixtures import glance

from fpga_hooks import image_bitstreams
from scheduler_filters import bitstreams
from tests.functional.test_hooks import HooksTestCase

OPERATOR = "99999999999949998999999999999999"
CONTAINER = "aaaaaaaa-0000-4000-8000-000000000001"


class ImageBitstreams(HooksTestCase):
    """A host with two regions, and an operator who accepts the bitstreams of one project."""

    def configure(self):
        super().configure()
        self.flags(image_bitstreams=[OPERATOR], group="fpga")
        bitstreams.forget()

    def tell(self, owner=OPERATOR):
        """Have Glance know the bitstream, and an image that names it."""
        context = self.admin_context()
        known = {"id": self.image, "name": "bitstream", "owner": owner, "properties": {}}
        self.glance.create(context, known)
        container = {
            "id": CONTAINER,
            "name": "container",
            "status": "active",
            "size": 1,
            "container_format": "docker",
            "disk_format": "raw",
            "properties": {"hw_fpga_ip_id": self.image},
        }
        self.glance.create(context, container)

    def start(self, state="ACTIVE"):
        return self._create_server(
            image_uuid=CONTAINER,
            flavor_id=self.plain_flavor(),
            networks="none",
            expected_state=state,
        )

    def counts(self):
        return self.used(), self.host.status()["used"]

    def test_region_is_counted_burnt_kept_and_given_back(self):
        self.tell()
        server = self.start()
        self.assertEqual((1, 1), self.counts())
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])
        self.audit()
        self.assertEqual((1, 1), self.counts())
        self.delete(server)
        self.assertEqual((0, 0), self.counts())

    def test_flavor_stays_as_it_is(self):
        self.tell()
        specs = self.start()["flavor"]["extra_specs"]
        self.assertNotIn("hw:fpga_ip_id", specs)

    def test_bitstream_of_another_project_is_refused_before_any_host(self):
        self.tell(owner="somebody")
        server = self.start("ERROR")
        self.assertIn("not one that the operator accepts", self.fault(server))
        self.assertEqual(((0, 0), 0), (self.counts(), self.cloud.downloads))

    def test_build_refuses_what_a_scheduler_let_through(self):
        self.tell(owner="somebody")
        real = image_bitstreams.refusal
        asked = []

        def late(*told):
            asked.append(told)
            return real(*told) if len(asked) > 1 else None

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.image_bitstreams.refusal", late))
        server = self.start("ERROR")
        self.assertIn("not one that the operator accepts", self.fault(server))
        self.assertEqual(((0, 0), 0), (self.counts(), self.cloud.downloads))

    def test_scheduler_counts_what_images_name(self):
        self.tell()
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.start("ERROR")))
        self.assertIn("Filter FpgaFilter returned 0 hosts", self.log())

    def test_rebuild_with_an_image_that_names_none_gives_the_region_back(self):
        self.tell()
        server = self.start()
        self._rebuild_server(server, glance.GlanceFixture.image2["id"])
        self.audit()
        self.assertEqual((0, 0), self.counts())

    def test_rebuild_with_an_image_that_names_one_gives_a_region(self):
        self.tell()
        server = self.boot(self.plain_flavor())
        self.assertEqual((0, 0), self.counts())
        self._rebuild_server(server, CONTAINER)
        self.audit()
        self.assertEqual((1, 1), self.counts())

    def test_server_keeps_its_region_where_the_operator_changes_his_mind(self):
        self.tell()
        server = self.start()
        self.flags(image_bitstreams=[], group="fpga")
        self.audit()
        self.assertEqual((1, 1), self.counts())
        self.delete(server)
        self.audit()
        self.assertEqual((0, 0), self.counts())

    def test_image_names_nothing_where_the_operator_does_not_say_so(self):
        self.flags(image_bitstreams=[], group="fpga")
        self.tell()
        self.start()
        self.assertEqual((0, 0), self.counts())
