# SPDX-License-Identifier: Apache-2.0
"""What is counted as free is what can be booted: a patched Nova, Placement and fpga-cli at work."""

from fpga_api.availability.cloud import Cloud
from fpga_api.availability.refresh import Refresh
from fpga_api.publication import Publication
from tests.functional.test_card_providers import TwoCards
from tests.support import api as support
from tests.support.nova_api import adapters


class Boots(TwoCards):
    """A host with two cards of two regions, of which one is burnt by hand."""

    def setUp(self):
        super().setUp()
        conf = support.configuration(availability={"image_traits": []})
        cloud = Cloud(adapters(self.api, self.placement))
        self.refresh = Refresh(cloud, conf, Publication.of(conf))

    def counts(self):
        """Free and total by the flavor's name."""
        return {one["name"]: (one["free"], one["total"]) for one in self.refresh.count()["flavors"]}

    def count(self):
        (found,) = self.counts().values()
        return found

    def boot_all(self, flavor):
        """How many servers become active before one finds no host."""
        count = 0
        while self.settle(self._server(flavor)) == "ACTIVE":
            count += 1
        return count

    def _server(self, flavor):
        body = self._build_server(flavor_id=flavor, networks="none")
        return self.api.post_server({"server": body})

    def test_as_many_servers_boot_as_were_free(self):
        flavor = self.fpga_flavor(self.image)
        self.plain_flavor()
        self.assertEqual((4, 4), self.count())
        self.host.burn(self.image)
        self.audit()
        self.assertEqual((3, 3), self.count())
        self.assertEqual(3, self.boot_all(flavor))
        self.assertEqual((0, 3), self.count())

    def test_servers_of_two_regions_share_what_is_free_with_those_of_one(self):
        one = self.fpga_flavor(self.image)
        two = self.flavor(hw__fpga_ip_id=self.image, hw__fpga_ip_id_2=self.image)
        name = next(name for name in self.counts() if name.startswith("with"))
        self.assertEqual((2, 2), self.counts()[name])
        self.boot(one)
        self.assertEqual((1, 2), self.counts()[name])
        self.assertEqual(1, self.boot_all(two))

    def test_host_that_takes_no_servers_has_nothing_free(self):
        self.fpga_flavor(self.image)
        (service,) = self.api.get_services(binary="nova-compute")
        url = f"/os-services/{service['id']}"
        for state, count in (
            ({"status": "disabled"}, (0, 0)),
            ({"status": "enabled"}, (4, 4)),
            ({"forced_down": True}, (0, 0)),
            ({"forced_down": False}, (4, 4)),
        ):
            self.api.api_put(url, state)
            self.assertEqual(count, self.count(), state)
