# SPDX-License-Identifier: Apache-2.0
"""Regions as Placement sees them, with the real Placement service and the real fpga-cli."""

from tests.functional.test_hooks import HooksTestCase
from tests.support import bitstreams

REGION = "CUSTOM_FPGA_REGION"


class PlacementTestCase(HooksTestCase):
    """A host with two regions, and what Placement tells of it."""

    def provider(self):
        return self.compute_node().uuid

    def inventory(self):
        url = f"/resource_providers/{self.provider()}/inventories"
        return self.placement.get(url).body["inventories"].get(REGION)

    def traits(self):
        url = f"/resource_providers/{self.provider()}/traits"
        found = self.placement.get(url, version="1.6").body["traits"]
        return {trait for trait in found if trait.startswith("CUSTOM_")}

    def allocated(self, server):
        allocations = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        return sum(a["resources"].get(REGION, 0) for a in allocations.values())

    def resource_flavor(self):
        return self._create_flavor(
            name="both",
            memory_mb=64,
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec={"hw:fpga_ip_id": self.image, f"resources:{REGION}": "1"},
        )


class OneHost(PlacementTestCase):
    """What Placement is told, and what it refuses."""

    def test_inventory_and_traits_are_there_when_the_service_has_started(self):
        inventory = self.inventory()
        self.assertEqual((2, 0, 2), tuple(inventory[k] for k in ("total", "reserved", "max_unit")))
        self.assertEqual({"CUSTOM_FPGA", "CUSTOM_FPGA_BOARD_EMULATOR"}, self.traits())

    def test_what_is_loaded_is_a_trait_until_it_is_erased(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.audit()
        self.assertIn("CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS", self.traits())
        self.delete(server)
        self.audit()
        self.assertNotIn("CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS", self.traits())

    def functions(self):
        """All traits of functions that Placement has."""
        url = "/traits?name=startswith:CUSTOM_FPGA_FUNCTION_"
        return set(self.placement.get(url, version="1.6").body["traits"])

    def test_trait_of_a_function_that_no_host_has_is_deleted_and_others_stay(self):
        used, unused = "CUSTOM_FPGA_FUNCTION_ELSEWHERE", "CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS"
        other = {"uuid": "77777777-9999-4999-8999-999999999999", "name": "other"}
        self.placement.post("/resource_providers", other, version="1.6")
        self.placement.put(f"/traits/{used}", None, version="1.6")
        body = {"resource_provider_generation": 0, "traits": [used]}
        self.placement.put(f"/resource_providers/{other['uuid']}/traits", body, version="1.6")
        server = self.boot(self.fpga_flavor(self.image))
        self.audit()
        self.assertEqual({used, unused}, self.functions())
        self.delete(server)
        for _ in range(3):
            self.audit()
        self.assertEqual({used}, self.functions())
        self.boot(self.fpga_flavor(self.cloud.add(bitstreams.package())))
        self.audit()
        self.assertIn(unused, self.traits())

    def test_trait_that_somebody_else_set_stays(self):
        url = f"/resource_providers/{self.provider()}/traits"
        self.placement.put("/traits/CUSTOM_RACK_7", None, version="1.6")
        traits = self.placement.get(url, version="1.6").body
        traits["traits"].append("CUSTOM_RACK_7")
        self.placement.put(url, traits, version="1.6")
        # Nova asks Placement anew when its cache is old; here, when the service starts.
        self.compute = self.restart_compute_service(self.compute)
        self.assertIn("CUSTOM_RACK_7", self.traits())

    def test_region_burnt_by_hand_is_reserved_at_the_next_audit(self):
        self.host.burn(self.image)
        self.audit()
        self.assertEqual(1, self.inventory()["reserved"])

    def test_flavor_that_names_the_resource_is_counted_once(self):
        server = self.boot(self.resource_flavor())
        self.assertEqual((1, 1), (self.allocated(server), self.used()))
        self.delete(server)
        self.assertEqual((0, 0), (self.allocated(server), self.used()))

    def test_placement_alone_refuses_a_third_server_of_two_regions(self):
        flavor = self.resource_flavor()
        servers = [self.boot(flavor) for _ in range(2)]
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))
        self.assertIn("Got no allocation candidates", self.log())
        self.assertEqual([1, 1], [self.allocated(server) for server in servers])

    def test_host_whose_cards_are_gone_keeps_its_allocations_and_takes_no_more(self):
        server = self.boot(self.resource_flavor())
        self.flags(exec="/nonexistent/fpga-cli.py", group="fpga")
        self.audit()
        inventory = self.inventory()
        self.assertEqual((2, 2), (inventory["total"], inventory["reserved"]))
        self.assertEqual(1, self.allocated(server))
