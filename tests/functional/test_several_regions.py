# SPDX-License-Identifier: Apache-2.0
"""Servers with several regions, from the flavor to the ledger and back."""

from oslo_config import cfg

from fpga_nova import bitstream_images
from scheduler_filters import options
from tests.functional.test_placement import PlacementTestCase
from tests.support import bitstreams


class TwoRegions(PlacementTestCase):
    """A host with three regions, and flavors that ask for two."""

    def configure(self):
        super().configure()
        self.host.configure(emulator__regions=3)
        options.register_opts(cfg.CONF)
        self.flags(request_placement=True, group="fpga")
        bitstream_images.forget()
        self.other = self.cloud.add(bitstreams.package())

    def flavor(self, *images):
        keys = ["hw:fpga_ip_id", *(f"hw:fpga_ip_id_{n}" for n in range(2, 7))]
        return self._create_flavor(
            name=f"of {len(images)}",
            memory_mb=64,
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec=dict(zip(keys, images, strict=False)),
        )

    def two(self, **details):
        return self.boot(self.flavor(self.image, self.other), **details)

    def held(self, server):
        """The images of a server's regions by number."""
        regions = self.host.status()["regions"]
        return {r["number"]: r["image_id"] for r in regions if r["owner"] == server["id"]}

    def counts(self, server):
        """What Placement, Nova and the ledger have."""
        return self.allocated(server), self.used(), self.host.status()["used"]

    def test_server_of_two_regions_has_two_in_placement_in_nova_and_in_the_ledger(self):
        server = self.two()
        self.assertEqual((2, 2, 2), self.counts(server))
        self.assertEqual({1: self.image, 2: self.other}, self.held(server))
        self.delete(server)
        self.assertEqual((0, 0, 0), self.counts(server))

    def test_column_has_the_ids_in_order_of_the_numbers(self):
        server = self.two()
        ids = {r["number"]: r["id"] for r in self.host.status()["regions"]}
        self.assertEqual(f"{ids[1]},{ids[2]}", self.instance(server).fpga_device)

    def test_server_of_two_regions_does_not_come_where_one_is_free(self):
        self.two()
        flavor = self.flavor(self.image, self.image, self.other)
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))
        self.assertEqual((2, 2), (self.used(), self.host.status()["used"]))

    def test_second_burn_that_fails_leaves_no_region(self):
        unknown = "99999999-9999-4999-8999-999999999999"
        server = self.boot(self.flavor(self.image, unknown), state="ERROR")
        self.assertIn("Glance has no such image", self.fault(server))
        self.assertEqual((0, 0), (self.used(), self.host.status()["used"]))
        self.assertIsNone(self.instance(server).fpga_device)

    def test_number_that_no_region_can_have_is_in_the_fault(self):
        flavor = self.plain_flavor()
        self.api.microversion = "2.85"  # later ones refuse it at once
        self.api.post_extra_spec(flavor, {"extra_specs": {"hw:fpga_ip_id_7": self.image}})
        self.api.microversion = self.microversion
        server = self.boot(flavor, state="ERROR")
        self.assertIn("hw:fpga_ip_id_7, which asks for nothing", self.fault(server))
        self.assertEqual(0, self.cloud.downloads)

    def test_resize_to_one_region_gives_the_other_back_at_the_next_audit(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.two()
        self._resize_server(server, self.fpga_flavor(self.image))
        self._confirm_resize(server)
        self.audit()
        self.assertEqual({1: self.image}, self.held(server))
        self.assertEqual((1, 1, 1), self.counts(server))
        self.assertNotIn(",", self.instance(server).fpga_device)

    def test_region_of_two_that_is_gone_is_burnt_again_by_the_audit(self):
        server = self.two()
        ids = {r["number"]: r["id"] for r in self.host.status()["regions"]}
        erased = self.host.run("erase", ids[2], "--owner", server["id"])
        self.assertEqual(0, erased.returncode)
        self.audit()
        self.assertEqual({1: self.image, 2: self.other}, self.held(server))
        now = {r["number"]: r["id"] for r in self.host.status()["regions"]}
        self.assertEqual(ids[1], now[1])


class Quarantine(PlacementTestCase):
    """A host with two regions, one of which did not erase."""

    def setUp(self):
        super().setUp()
        server = self.boot(self.fpga_flavor(self.image))
        self.record = self.host.state / "emulator" / self.regions()[server["id"]]["id"]
        self.text = self.record.read_text()
        self.addCleanup(self.record.write_text, self.text)
        self.record.write_text("{")
        self.delete(server)

    def test_region_that_erases_again_is_offered_again_by_the_next_audit(self):
        self.record.write_text(self.text)
        self.audit()
        self.assertEqual(["free", "free"], self.host.states())
        self.assertEqual((2, 0), (self.compute_node().fpga_regions, self.inventory()["reserved"]))
        self.assertIn("has erased at last", self.log())

    def test_region_that_still_does_not_erase_is_reserved_and_reported_once(self):
        self.audit()
        self.audit()
        self.assertEqual(["free", "quarantined"], sorted(self.host.states()))
        self.assertEqual((1, 1), (self.compute_node().fpga_regions, self.inventory()["reserved"]))
        self.assertEqual(1, self.log().count("stays in quarantine"))

    def test_region_that_an_operator_put_there_stays_there(self):
        self.record.write_text(self.text)
        self.audit()
        free = self.host.status()["regions"][0]["id"]
        self.host.run("quarantine", free, "--reason", "to be looked at")
        self.audit()
        self.assertEqual(["free", "quarantined"], sorted(self.host.states()))
