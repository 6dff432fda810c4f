# SPDX-License-Identifier: Apache-2.0
"""Which host a server with a region comes to: the request filter and the weigher at work."""

import json

from oslo_config import cfg

from fpga_nova import bitstream_images
from scheduler_filters import options
from tests.functional import base
from tests.functional.test_placement import PlacementTestCase


class RequestFilter(PlacementTestCase):
    """A host with two regions, whose scheduler asks Placement for them."""

    def configure(self):
        super().configure()
        options.register_opts(cfg.CONF)
        self.flags(request_placement=True, group="fpga")
        bitstream_images.forget()

    def publish(self, board):
        """Have Glance say what board the bitstream image is for."""
        image = {
            "id": self.image,
            "name": "bitstream",
            "properties": {"manifest": json.dumps({"target": {"board": board}})},
        }
        self.glance.create(self.admin_context(), image)

    def test_server_has_one_region_in_placement_in_nova_and_in_the_ledger(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.assertEqual(
            (1, 1, 1), (self.allocated(server), self.used(), self.host.status()["used"])
        )
        self.delete(server)
        self.assertEqual(
            (0, 0, 0), (self.allocated(server), self.used(), self.host.status()["used"])
        )

    def test_third_server_of_two_regions_is_refused_by_placement(self):
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))
        self.assertIn("Got no allocation candidates", self.log())

    def test_shelved_server_gives_its_region_back_and_takes_one_again(self):
        server = self._shelve_server(self.boot(self.fpga_flavor(self.image)))
        self.assertEqual((0, 0), (self.allocated(server), self.host.status()["used"]))
        self._unshelve_server(server)
        self.assertEqual((1, 1), (self.allocated(server), self.host.status()["used"]))

    def test_host_with_the_card_of_the_image_is_asked(self):
        self.publish("emulator")
        self.assertEqual(1, self.allocated(self.boot(self.fpga_flavor(self.image))))
        self.assertIn("=CUSTOM_FPGA_BOARD_EMULATOR&", self.log())

    def test_host_with_another_card_is_never_asked(self):
        # Another host has that board; without any, Placement does not know the trait.
        self.placement.put("/traits/CUSTOM_FPGA_BOARD_U250", None, version="1.6")
        self.publish("u250")
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        self.assertIn("No valid host", self.fault(server))
        self.assertIn("Got no allocation candidates", self.log())
        self.assertEqual(0, self.cloud.downloads)

    def test_no_host_is_asked_for_a_board_that_nobody_has(self):
        self.publish("u250")
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        self.assertIn("No valid host", self.fault(server))
        self.assertIn("CUSTOM_FPGA_BOARD_U250", self.log())
        self.assertEqual(0, self.cloud.downloads)

    def test_ordinary_server_asks_for_none(self):
        self.assertEqual(0, self.allocated(self.boot(self.plain_flavor())))


class Weigher(base.FunctionalTestCase):
    """Two hosts with two regions each."""

    HOSTS = ("host1", "host2")
    REGIONS = 2

    def configure(self):
        self.flags(
            weight_classes=["scheduler_filters.fpga_weigher.FpgaWeigher"], group="filter_scheduler"
        )

    def test_second_server_comes_to_the_host_of_the_first(self):
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.boot(flavor)
        self.assertEqual([0, 2], sorted(self.used(host) for host in self.HOSTS))

    def test_second_server_comes_to_the_other_host_where_the_operator_spreads(self):
        self.flags(strategy="spread", group="fpga")
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.boot(flavor)
        self.assertEqual([1, 1], [self.used(host) for host in self.HOSTS])

    def test_ordinary_server_comes_to_the_host_with_fewer_free_regions(self):
        first = self.boot(self.fpga_flavor())
        second = self.boot(self.plain_flavor())
        hosts = [self.api.get_server(s["id"])["OS-EXT-SRV-ATTR:host"] for s in (first, second)]
        self.assertEqual(hosts[0], hosts[1])
