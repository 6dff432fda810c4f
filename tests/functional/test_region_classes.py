# SPDX-License-Identifier: Apache-2.0
"""Regions of the classes that flavors for Cyborg name: each is in one inventory, counted once."""

import typing

from nova.db.main import api as main_db_api

from fpga_manage.check import sources
from fpga_nova import host_status
from tests.functional.test_check_fix import AllocationsTestCase
from tests.functional.test_functions import REGION, TRAIT, FunctionsTestCase

PF = "CUSTOM_FPGA_INTEL_PF"


class RegionClassesTestCase(FunctionsTestCase):
    """A host with two regions, which can have one function."""

    HOSTS = ("host1",)
    CLASSES: typing.ClassVar[dict[str, str]] = {"fake": PF}

    def configure(self):
        super().configure()
        self.flags(region_classes=self.CLASSES, group="fpga")

    def setUp(self):
        super().setUp()
        self.bitstream = self.publish("one")
        self.audit()

    def flavor(self, of, amount="1"):
        return self.flavor_of({f"resources:{of}": amount, f"trait:{TRAIT}": "required"})

    def inventories(self):
        """Total and reserved of each class of regions."""
        url = f"/resource_providers/{self.compute_node('host1').uuid}/inventories"
        found = self.placement.get(url).body["inventories"]
        return {
            name: (unit["total"], unit["reserved"])
            for name, unit in found.items()
            if name.startswith("CUSTOM_FPGA_")
        }

    def regions(self, server):
        """The regions that a server has allocated, by class."""
        found = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        (resources,) = (one["resources"] for one in found.values())
        return {name: n for name, n in resources.items() if name.startswith("CUSTOM_FPGA_")}

    def findings(self):
        with self.in_cell() as context:
            database = sources.Database(main_db_api.get_engine(context=context))

        def get(path):
            answer = self.placement.get(path, version=sources.MICROVERSION)
            return answer.body if answer.status == 200 else None

        statuses = {"host1": host_status.read(self.ledgers["host1"].status())}
        return sources.findings(database, statuses, get)


class Chosen(RegionClassesTestCase):
    """The operator has chosen the class."""

    def test_flavor_with_the_class_takes_regions_until_there_is_none(self):
        flavor = self.flavor(PF)
        servers = [self.boot(flavor)]
        self.assertEqual({PF: (2, 0)}, self.inventories())
        for other in (self.flavor(REGION), self.function_flavor()):
            self.assertIn("No valid host", self.fault(self.boot(other, "ERROR")))
        servers.append(self.boot(flavor))
        self.assertEqual([self.bitstream] * 2, self.burnt("host1"))
        self.assertEqual([{PF: 1}] * 2, [self.regions(one) for one in servers])
        self.assertEqual(2, self.used("host1"))
        self.assertIn("No valid host", self.fault(self.boot(flavor, "ERROR")))
        self.audit()
        self.assertEqual(({PF: (2, 0)}, []), (self.inventories(), self.findings()))

    def test_two_of_a_class_are_two_regions_of_one_server(self):
        server = self.boot(self.flavor(PF, "2"))
        self.assertEqual([self.bitstream] * 2, self.burnt("host1"))
        self.assertEqual(({PF: 2}, 2), (self.regions(server), self.used("host1")))
        self.delete(server)
        self.assertEqual(([], 0), (self.burnt("host1"), self.used("host1")))


class Changed(RegionClassesTestCase):
    """The operator chooses the class while servers have regions."""

    CLASSES: typing.ClassVar[dict[str, str]] = {}

    def test_allocations_move_to_the_class_and_back(self):
        server = self.boot(self.function_flavor())
        for classes, of in (({"fake": PF}, PF), ({}, REGION)):
            self.flags(region_classes=classes, group="fpga")
            self.audit()
            self.assertNotIn(of, self.inventories())  # until the service starts
            self.restart()
            self.audit()
            self.assertEqual(({of: (2, 0)}, {of: 1}), (self.inventories(), self.regions(server)))
            self.assertEqual([], self.findings())


class Repaired(AllocationsTestCase):
    """An allocation that is gone comes back with the class that the cards have."""

    PROVIDERS = "card"

    def configure(self):
        super().configure()
        self.flags(region_classes={"emulator": PF}, group="fpga")

    def test_allocation_is_made_of_the_class_of_the_card(self):
        specs = {"hw__fpga_ip_id": self.image, f"resources1__{PF}": "1"}
        server = self.boot(self.flavor(**specs))
        before = self.lose(server)
        self.assertIn({PF: 1}, before.values())
        self.assert_fixed(server, before)
