# SPDX-License-Identifier: Apache-2.0
"""What the engine of fpga-api learns of hosts: a patched Nova with its hooks, and Placement."""

import fixtures
from keystoneauth1 import adapter, session

from fpga_api import errors, service
from fpga_api.bitstreams import uses
from fpga_api.hosts import refresh
from tests.functional.test_placement import PlacementTestCase
from tests.support import api as support
from tests.support import rpc

URL = "fake://"


class Cloud(service.Service):
    """The service with Nova and Placement in process, which need no token."""

    def __init__(self, conf, test):
        super().__init__(conf)
        user = {"X-Auth-User": "admin", "X-User-Id": "admin", "X-Roles": "admin"}
        user["X-Auth-Project-Id"] = test.api.project_id
        self._places = {
            "placement": (test.placement.fixture.endpoint, {"X-Auth-Token": "admin"}),
            "compute": (test.api_fixture.base_url, user),
        }

    def adapter(self, service_type, user=None):
        """As in a cloud whose catalogue has these endpoints."""
        endpoint, headers = self._places[service_type]
        return adapter.Adapter(
            session.Session(auth=None),
            service_type=service_type,
            endpoint_override=endpoint,
            additional_headers=headers,
        )


class ApiTestCase(PlacementTestCase):
    """Two compute hosts; what is published of them, and who reads what of it."""

    PROVIDERS = "host"

    def configure(self):
        super().configure()
        self.flags(transport_url=URL, providers=self.PROVIDERS, group="fpga")
        self.useFixture(rpc.EndedServers())

    def setUp(self):
        super().setUp()
        conf = support.configuration(hosts={"transport_url": URL, "timeout": 1})
        self.service = Cloud(conf, self)
        self.hosts = refresh.Hosts(self.service)


class HostsOfApi(ApiTestCase):
    """A cloud whose host has regions."""

    def test_region_of_a_server_is_its_projects_to_see(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.audit()
        self.hosts.refresh()
        document = self.service.publication.read("hosts").document
        region = next(one for one in document["regions"] if one["server_id"])
        self.assertEqual(
            (server["id"], server["tenant_id"], self.image, "host1", "programmed"),
            tuple(region[k] for k in ("server_id", "project_id", "bitstream_id", "host", "state")),
        )
        (card,) = document["cards"]
        self.assertEqual(
            (self.provider(), "host1", 2, 1, 1, 0),
            tuple(card[k] for k in ("id", "host", "total", "free", "used", "quarantined")),
        )
        self.assertEqual(card["id"], region["card"])
        self.assertIn("CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS", document["traits"])
        self.assertEqual([], document["unreachable"])

    def test_bitstream_is_in_use_while_a_flavor_or_a_region_has_it(self):
        flavor = self.fpga_flavor(self.image)
        server = self.boot(flavor)
        self.hosts.refresh()
        with self.assertRaisesRegex(errors.BitstreamInUse, "a flavor names"):
            uses.check_unused(self.service, self.image)
        self.api.api_delete(f"/flavors/{flavor}")
        with self.assertRaisesRegex(errors.BitstreamInUse, "a region has"):
            uses.check_unused(self.service, self.image)
        self.delete(server)
        self.hosts.refresh()
        uses.check_unused(self.service, self.image)

    def test_host_that_falls_silent_is_named_with_its_servers(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.hosts.refresh()
        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.rpc.report.report", lambda: None))
        document = self.hosts.collect()
        self.assertEqual([], document["regions"])
        (card,) = document["cards"]
        self.assertEqual((None, None), (card["total"], card["free"]))
        (silent,) = document["unreachable"]
        self.assertEqual("host1", silent["host"])
        self.assertEqual(
            [{"id": server["id"], "project_id": server["tenant_id"]}], silent["servers"]
        )


class NoHostOfApi(ApiTestCase):
    """A cloud without FPGA regions, whose Placement has no trait of them."""

    ACCESS = False

    def test_nothing_is_published_of_a_cloud_without_regions(self):
        empty = {"cards": [], "regions": [], "unreachable": [], "traits": []}
        self.assertEqual(empty, self.hosts.collect())


class CardsOfApi(HostsOfApi):
    """The same where each card is a provider of its own."""

    PROVIDERS = "card"

    def provider(self):
        """That of the host's only card."""
        found = self.placement.get("/resource_providers", version="1.14").body
        (card,) = (one for one in found["resource_providers"] if "_fpga_" in one["name"])
        return card["uuid"]
