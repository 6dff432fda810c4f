# SPDX-License-Identifier: Apache-2.0
"""Which regions Nova's unified limits count, as docs/operator.md says."""

from nova.tests.functional.api import client
from oslo_config import cfg
from oslo_limit import fixture

from fpga_nova import bitstream_images
from scheduler_filters import options
from tests.functional.test_placement import REGION, PlacementTestCase

_PLENTY = 10**6


class UnifiedLimits(PlacementTestCase):
    """A limit of one region for each project, on a host with two."""

    def configure(self):
        super().configure()
        options.register_opts(cfg.CONF)
        self.flags(request_placement=True, group="fpga")
        self.flags(driver="nova.quota.UnifiedLimitsDriver", group="quota")
        bitstream_images.forget()
        names = ("servers", "class:VCPU", "class:MEMORY_MB", "class:DISK_GB")
        ours = ("server_metadata_items", "server_injected_files")
        more = ("server_injected_file_content_bytes", "server_injected_file_path_bytes")
        limits = dict.fromkeys((*names, *ours, *more), _PLENTY) | {f"class:{REGION}": 1}
        self.useFixture(fixture.LimitFixture(limits, {}))

    def test_flavor_that_names_the_class_is_counted(self):
        flavor = self.resource_flavor()
        self.boot(flavor)
        refused = self.assertRaises(client.OpenStackApiException, self.boot, flavor)
        self.assertEqual(403, refused.response.status_code)
        self.assertIn(REGION, refused.response.text)

    def test_region_that_the_scheduler_asks_for_is_not(self):
        flavor = self.fpga_flavor(self.image)
        servers = [self.boot(flavor) for _ in range(2)]
        self.assertEqual([1, 1], [self.allocated(server) for server in servers])

    def test_region_that_the_scheduler_asked_for_counts_as_used(self):
        self.boot(self.fpga_flavor(self.image))
        refused = self.assertRaises(client.OpenStackApiException, self.boot, self.resource_flavor())
        self.assertEqual(403, refused.response.status_code)
