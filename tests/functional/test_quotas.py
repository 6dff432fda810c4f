# SPDX-License-Identifier: Apache-2.0
"""Which regions Nova's unified limits count, as docs/operator.md says."""

import fixtures
from keystoneauth1 import exceptions as keystone
from nova.tests.functional.api import client
from oslo_config import cfg
from oslo_limit import fixture

from fpga_nova import bitstream_images
from scheduler_filters import options
from tests.functional.test_functions import TRAIT, FunctionsTestCase
from tests.functional.test_image_bitstreams import CONTAINER, ImageBitstreamsTestCase
from tests.functional.test_lifecycle import LifecycleTestCase
from tests.functional.test_placement import REGION, PlacementTestCase

_PLENTY = 10**6
_UNIFIED = "nova.quota.UnifiedLimitsDriver"
_NOOP = "nova.quota.NoopQuotaDriver"


class Limits:
    """A limit of regions for each project."""

    LIMIT = 1
    #: ``[fpga] request_quota``, and what nova-api counts by.
    REQUEST_QUOTA = True
    DRIVER = _UNIFIED

    def configure(self):
        super().configure()
        options.register_opts(cfg.CONF)
        self.flags(request_placement=True, request_quota=self.REQUEST_QUOTA, group="fpga")
        self.flags(driver=self.DRIVER, group="quota")
        bitstream_images.forget()
        names = ("servers", "class:VCPU", "class:MEMORY_MB", "class:DISK_GB")
        ours = ("server_metadata_items", "server_injected_files")
        more = ("server_injected_file_content_bytes", "server_injected_file_path_bytes")
        limits = dict.fromkeys((*names, *ours, *more), _PLENTY) | {f"class:{REGION}": self.LIMIT}
        self.useFixture(fixture.LimitFixture(limits, {}))

    def assert_forbidden(self, words, call, *arguments, **more):
        """nova-api itself refuses that; a request for a server leaves none."""
        before = self.api.get_servers()
        refused = self.assertRaises(client.OpenStackApiException, call, *arguments, **more)
        self.assertEqual(403, refused.response.status_code)
        words = f"class:{REGION} is over limit of {self.LIMIT} due to {words}"
        self.assertIn(words, refused.response.text)
        self.assertEqual(len(before), len(self.api.get_servers()))


class UnifiedLimits(Limits, PlacementTestCase):
    """A limit of one region for each project, on a host with two."""

    REQUEST_QUOTA = False

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


class EveryRegion(Limits, PlacementTestCase):
    """The same, where nova-api counts every region."""

    def post(self, flavor, most=1):
        server = self._build_server(flavor_id=flavor, networks="none")
        return self.api.post_server({"server": server | {"min_count": 1, "max_count": most}})

    def test_region_beyond_the_limit_is_forbidden_before_anything_is_scheduled(self):
        flavor = self.fpga_flavor(self.image)
        first = self.boot(flavor)
        self.assert_forbidden("current usage 1 and delta 1", self.post, flavor)
        self.delete(first)
        self.assertEqual("ACTIVE", self.settle(self.post(flavor, most=2)))
        self.assertEqual(1, len(self.api.get_servers()))

    def test_servers_that_pass_together_are_refused_and_hold_nothing(self):
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)

        def passes(*_arguments):
            pass

        for name in ("fpga_hooks.calls.limit_regions", "scheduler_filters.quota.check"):
            self.useFixture(fixtures.MonkeyPatch(name, passes))
        refused = self.boot(flavor, state="ERROR")
        self.assertIn("has 2 FPGA regions and may have 1, those of this", self.fault(refused))
        self.assertEqual((0, 1), (self.allocated(refused), self.host.status()["used"]))


class EveryRegionOfFunctions(Limits, FunctionsTestCase):
    """Flavors that ask for a function."""

    def test_region_of_a_function_beyond_the_limit_is_forbidden(self):
        self.publish_both()
        self.flags(request_placement=False, group="fpga")  # which functions do not need
        flavor = self.function_flavor()
        self.boot(flavor)
        self.assert_forbidden("current usage 1 and delta 1", self.boot, flavor)


class ThirdBoot(Limits):
    """A limit of two regions: the third one is forbidden before anything is scheduled."""

    LIMIT = 2

    def assert_third_is_forbidden(self, boot):
        for _ in range(self.LIMIT):
            boot()
        requests = []
        name = "nova.conductor.api.ComputeTaskAPI.schedule_and_build_instances"
        self.useFixture(fixtures.MonkeyPatch(name, lambda *_all, **_more: requests.append(1)))
        self.assert_forbidden("current usage 2 and delta 1", boot)
        self.assertEqual([], requests)


class ThirdBootByFlavor(ThirdBoot, PlacementTestCase):
    """Flavors that name the bitstream."""

    def test_third_region_of_a_flavor_with_the_id_of_an_image_is_forbidden(self):
        flavor = self.fpga_flavor(self.image)
        self.assert_third_is_forbidden(lambda: self.boot(flavor))

    def test_third_region_of_a_flavor_with_the_class_is_forbidden(self):
        flavor = self.resource_flavor()
        self.assert_third_is_forbidden(lambda: self.boot(flavor))


class ThirdBootByFunction(ThirdBoot, FunctionsTestCase):
    """Flavors that ask for a function, in both ways."""

    def test_third_region_of_a_flavor_with_a_function_is_forbidden(self):
        self.publish_both()
        flavor = self.function_flavor()
        self.assert_third_is_forbidden(lambda: self.boot(flavor))

    def test_third_region_of_a_flavor_with_class_and_trait_is_forbidden(self):
        self.publish_both()
        flavor = self.flavor_of({f"resources:{REGION}": "1", f"trait:{TRAIT}": "required"})
        self.assert_third_is_forbidden(lambda: self.boot(flavor))


class ThirdBootByImage(ThirdBoot, ImageBitstreamsTestCase):
    """Images that name the bitstream."""

    def test_third_region_of_an_image_is_forbidden(self):
        self.publish()
        options = {"image_uuid": CONTAINER, "flavor_id": self.plain_flavor(), "networks": "none"}
        self.assert_third_is_forbidden(lambda: self._create_server(**options))


class RequestQuota(Limits, PlacementTestCase):
    """The same, where the scheduler alone counts."""

    DRIVER = _NOOP

    def assert_refused(self, flavor, words):
        server = self.boot(flavor, state="ERROR")
        self.assertIn(words, self.fault(server))
        self.assertEqual(0, self.allocated(server))
        self.assertEqual((1, 1), (self.used(), self.host.status()["used"]))

    def test_region_beyond_the_limit_is_refused_before_any_host_is_asked(self):
        flavor = self.fpga_flavor(self.image)
        first = self.boot(flavor)
        self.assert_refused(flavor, "has 1 FPGA regions and may have 1; this asks for 1 more")
        self.delete(first)
        self.boot(flavor)

    def test_servers_of_one_request_are_counted_together(self):
        server = self._build_server(flavor_id=self.fpga_flavor(self.image), networks="none")
        self.api.post_server({"server": server | {"min_count": 2, "max_count": 2}})
        servers = self.api.get_servers()
        self.assertEqual(["ERROR"] * 2, [self.settle(one) for one in servers])
        self.assertIn("this asks for 2 more", self.fault(servers[0]))
        self.assertEqual(0, self.host.status()["used"])

    def test_ordinary_server_needs_no_limit(self):
        self.boot(self.fpga_flavor(self.image))
        self.boot(self.plain_flavor())

    def test_nothing_is_given_where_keystone_does_not_answer(self):
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)

        def enforce(*_arguments):
            raise keystone.ConnectFailure("no Keystone")

        self.useFixture(fixtures.MonkeyPatch("oslo_limit.limit.Enforcer.enforce", enforce))
        self.assert_refused(flavor, "cannot be known now")


class RequestQuotaOfImages(Limits, ImageBitstreamsTestCase):
    """Bitstreams that images name."""

    def test_region_of_an_image_beyond_the_limit_is_refused(self):
        self.publish()
        options = {"image_uuid": CONTAINER, "flavor_id": self.plain_flavor(), "networks": "none"}
        self._create_server(**options)
        words = "current usage 1 and delta 1"
        self.assert_forbidden(words, self._create_server, **options)
        self.flags(driver=_NOOP, group="quota")
        refused = self._create_server(**options, expected_state="ERROR")
        self.assertIn("may have 1; this asks for 1 more", self.fault(refused))
        self.assertEqual((1, 1), self.counts())


class RequestQuotaOfMoves(Limits, LifecycleTestCase):
    """Servers of a project that has as many regions as its limit."""

    HOSTS = ("host1", "host2")
    DRIVER = _NOOP

    def test_server_is_migrated_with_its_region(self):
        server = self._migrate_server(self.fpga_server(host="host1"))
        self._confirm_resize(server)
        self.assert_owners([], [server])

    def test_server_is_evacuated_with_its_region(self):
        server = self.fpga_server(host="host1")
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        self._evacuate_server(server, expected_host="host2")
        self.assertEqual([server["id"]], self.owners()["host2"])

    def test_resize_to_a_region_beyond_the_limit_is_refused(self):
        fpga = self.fpga_flavor(self.image)
        first = self.boot(fpga, host="host1")
        second = self.boot(self.plain_flavor(), host="host1")
        self.api.post_server_action(second["id"], {"resize": {"flavorRef": fpga}})
        self._wait_for_action_fail_completion(second, "resize", "conductor_migrate_server")
        self.assert_owners([first])
        self.flags(driver=_UNIFIED, group="quota")
        resize = {"resize": {"flavorRef": fpga}}
        words = "current usage 1 and delta 1"
        self.assert_forbidden(words, self.api.post_server_action, second["id"], resize)

    def test_unshelved_server_counts_again(self):
        flavor = self.fpga_flavor(self.image)
        shelved = self._shelve_server(self.boot(flavor, host="host1"))
        second = self.boot(flavor, host="host1")
        self.api.post_server_action(shelved["id"], {"unshelve": None})
        self._wait_until(shelved, lambda record: record["OS-EXT-STS:task_state"] is None)
        self.assertEqual("SHELVED_OFFLOADED", self.api.get_server(shelved["id"])["status"])
        self.assert_owners([second])
        self.delete(second)
        self._unshelve_server(shelved)
