# SPDX-License-Identifier: Apache-2.0
"""Cards with resource providers of their own: Placement chooses the card that is burnt."""

from nova.db.main import api as main_db_api
from oslo_config import cfg

from fpga_manage.check import sources
from fpga_nova import bitstream_images, host_status
from scheduler_filters import options
from tests.functional.test_placement import REGION, PlacementTestCase


class TwoCards(PlacementTestCase):
    """A host with two cards of two regions each."""

    PROVIDERS = "card"

    def configure(self):
        super().configure()
        self.host.configure(emulator__cards=2, emulator__regions=2)
        options.register_opts(cfg.CONF)
        self.flags(request_placement=True, providers=self.PROVIDERS, group="fpga")
        bitstream_images.forget()

    def tree(self):
        """The providers of the host, by name."""
        url = f"/resource_providers?in_tree={self.provider()}"
        providers = self.placement.get(url, version="1.14").body["resource_providers"]
        return {provider["name"]: provider["uuid"] for provider in providers}

    def inventories(self):
        """Total and reserved regions by provider."""
        found = {}
        for name, uuid in self.tree().items():
            url = f"/resource_providers/{uuid}/inventories"
            inventory = self.placement.get(url).body["inventories"].get(REGION)
            if inventory:
                found[name] = (inventory["total"], inventory["reserved"])
        return found

    def traits_of(self, name):
        url = f"/resource_providers/{self.tree()[name]}/traits"
        return set(self.placement.get(url, version="1.6").body["traits"])

    def chosen(self, server):
        """How many regions of each provider a server has allocated."""
        names = {uuid: name for name, uuid in self.tree().items()}
        allocations = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        return {
            names[uuid]: a["resources"][REGION]
            for uuid, a in allocations.items()
            if REGION in a["resources"]
        }

    def burnt(self, server):
        """How many regions of each card's provider a server has in the ledger."""
        found = {}
        for region in self.host.status()["regions"]:
            if region["owner"] == server["id"]:
                name = f"host1_fpga_{region['device']}"
                found[name] = found.get(name, 0) + 1
        return found

    def restart(self, providers):
        self.flags(providers=providers, group="fpga")
        self.compute = self.restart_compute_service(self.compute)
        self.computes["host1"] = self.compute

    def flavor(self, **extra_specs):
        return self._create_flavor(
            name=f"with {sorted(extra_specs)}",
            memory_mb=64,
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec={key.replace("__", ":"): value for key, value in extra_specs.items()},
        )

    def three(self):
        """A server of three regions, which no card has."""
        keys = ("hw__fpga_ip_id", "hw__fpga_ip_id_2", "hw__fpga_ip_id_3")
        return self.boot(self.flavor(**dict.fromkeys(keys, self.image)))


class ByCard(TwoCards):
    """The host is told by card from the beginning."""

    def test_each_card_has_its_regions_and_the_host_has_none(self):
        self.assertEqual(
            {"host1_fpga_emulator0": (2, 0), "host1_fpga_emulator1": (2, 0)}, self.inventories()
        )

    def test_card_has_the_traits_of_a_card_and_the_host_reports_that_it_has_cards(self):
        traits = self.traits_of("host1_fpga_emulator1")
        ours = {trait for trait in traits if trait.startswith("CUSTOM_")}
        self.assertEqual({"CUSTOM_FPGA", "CUSTOM_FPGA_BOARD_EMULATOR"}, ours)
        self.assertEqual({"CUSTOM_FPGA"}, self.traits())

    def test_function_is_a_trait_of_its_card_alone(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.audit()
        (card,) = self.chosen(server)
        with_it = [
            name
            for name in self.inventories()
            if "CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS" in self.traits_of(name)
        ]
        self.assertEqual([card], with_it)

    def test_card_that_placement_chose_is_burnt(self):
        url = f"/resource_providers/{self.tree()['host1_fpga_emulator1']}/traits"
        self.placement.put("/traits/CUSTOM_BEHIND_THE_FAN", None, version="1.6")
        traits = self.placement.get(url, version="1.6").body
        traits["traits"].append("CUSTOM_BEHIND_THE_FAN")
        self.placement.put(url, traits, version="1.6")
        flavor = self.flavor(
            hw__fpga_ip_id=self.image,
            resources1__CUSTOM_FPGA_REGION="1",
            trait1__CUSTOM_BEHIND_THE_FAN="required",
        )
        server = self.boot(flavor)
        self.assertEqual({"host1_fpga_emulator1": 1}, self.chosen(server))
        self.assertEqual(self.chosen(server), self.burnt(server))

    def test_regions_of_one_server_may_come_from_several_cards(self):
        server = self.three()
        self.assertEqual([1, 2], sorted(self.chosen(server).values()))
        self.assertEqual(self.chosen(server), self.burnt(server))
        self.delete(server)
        self.assertEqual(({}, {}), (self.chosen(server), self.burnt(server)))

    def test_region_that_is_gone_is_burnt_again_on_its_card(self):
        server = self.three()
        before = self.burnt(server)
        for region in self.host.status()["regions"]:
            if region["owner"]:
                erased = self.host.run("erase", region["id"], "--owner", region["owner"])
                self.assertEqual(0, erased.returncode)
        self.audit()
        self.assertEqual(before, self.burnt(server))

    def test_regions_in_quarantine_are_reserved_on_their_card(self):
        first = next(r for r in self.host.status()["regions"] if r["device"] == "emulator1")
        self.host.run("quarantine", first["id"])
        self.audit()
        self.assertEqual(
            {"host1_fpga_emulator0": (2, 0), "host1_fpga_emulator1": (2, 1)}, self.inventories()
        )

    def test_cards_that_cannot_be_reached_give_no_more(self):
        self.flags(exec="/nonexistent/fpga-cli.py", group="fpga")
        self.audit()
        self.assertEqual({(2, 2)}, set(self.inventories().values()))

    def test_resize_to_more_regions_and_back_leaves_what_the_flavor_asks_for(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.boot(self.fpga_flavor(self.image))
        before = self.chosen(server)
        two = self.flavor(hw__fpga_ip_id=self.image, hw__fpga_ip_id_2=self.image)
        self._resize_server(server, two)
        self._revert_resize(server)
        self.audit()
        self.assertEqual((before, before), (self.chosen(server), self.burnt(server)))

    def test_check_finds_nothing(self):
        self.three()
        with self.in_cell() as context:
            database = sources.Database(main_db_api.get_engine(context=context))

        def get(path):
            answer = self.placement.get(path, version=sources.MICROVERSION)
            return answer.body if answer.status == 200 else None

        statuses = {"host1": host_status.read(self.host.status())}
        self.assertEqual([], sources.findings(database, statuses, get))


class Change(TwoCards):
    """The host is told as one at first."""

    PROVIDERS = "host"

    def test_allocations_go_to_the_cards_of_their_servers_and_back(self):
        servers = [self.boot(self.fpga_flavor(self.image)), self.three()]
        as_one = [self.chosen(server) for server in servers]
        self.assertEqual([{"host1": 1}, {"host1": 3}], as_one)
        self.restart("card")
        self.audit()
        self.assertEqual([self.burnt(s) for s in servers], [self.chosen(s) for s in servers])
        self.assertEqual({(2, 0)}, set(self.inventories().values()))
        self.assertEqual({"CUSTOM_FPGA"}, self.traits())
        self.restart("host")
        self.assertEqual(as_one, [self.chosen(server) for server in servers])
        self.assertEqual(({"host1": (4, 0)}, ["host1"]), (self.inventories(), list(self.tree())))
        self.assertIn("CUSTOM_FPGA_BOARD_EMULATOR", self.traits())

    def test_allocation_of_a_server_that_was_resized_and_not_confirmed_goes_along(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.boot(self.fpga_flavor(self.image))
        two = self.flavor(hw__fpga_ip_id=self.image, hw__fpga_ip_id_2=self.image)
        self._resize_server(server, two)
        self.restart("card")
        self.assertEqual(self.burnt(server), self.chosen(server))
        self._revert_resize(server)
        self.audit()
        self.assertEqual(1, sum(self.chosen(server).values()))

    def test_host_whose_cards_cannot_be_reached_stays_as_it_was(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.host.wrapper().write_text("#!/bin/sh\nexit 127\n")
        self.restart("card")
        self.assertEqual({"host1": (4, 4)}, self.inventories())
        self.host.wrapper()
        self.audit()
        self.assertEqual({"host1": (4, 0)}, self.inventories())
        self.assertEqual({"host1": 1}, self.chosen(server))
        self.assertIn("takes effect when nova-compute starts", self.log())
