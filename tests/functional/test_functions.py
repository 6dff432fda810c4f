# SPDX-License-Identifier: Apache-2.0
"""Flavors that ask for a function: hosts with other cards choose other bitstreams."""

import datetime
import typing

import fixtures
from nova import exception
from nova.tests.functional.api import client
from oslo_config import cfg

from fpga_hooks.functions import catalogue
from fpga_nova import bitstream_images
from scheduler_filters import options
from tests.functional.test_lifecycle import LifecycleTestCase
from tests.support import bitstreams

REGION = "CUSTOM_FPGA_REGION"
TRAIT = "CUSTOM_ACCELERATOR_CHECKSUM"


class FunctionsTestCase(LifecycleTestCase):
    """Two hosts with cards of other parts, and a bitstream of one function for each."""

    HOSTS = ("host1", "host2")
    PARTS: typing.ClassVar[dict[str, str]] = {"host1": "one", "host2": "two"}
    CARDS = 2

    def configure(self):
        super().configure()
        for name, part in self.PARTS.items():
            if name in self.ledgers:
                self.ledgers[name].configure(
                    drivers="fake", fake__part=part, fake__regions=self.CARDS
                )
        options.register_opts(cfg.CONF)
        self.flags(function_bitstreams=["public"], group="fpga")
        bitstream_images.forget()
        name = "fpga_hooks.functions.catalogue.ours"
        self.useFixture(fixtures.MonkeyPatch(name, catalogue.Catalogue()))

    def publish(self, part, kind="checksum", version="1.0", public=True):
        """Have both Glances of the test have a bitstream; its id."""
        target = {"board": "fake", "part": part}
        image = self.cloud.add(bitstreams.package(target=target, version=version))
        properties = {"type": kind, "board": "fake", "part": part, "version": version}
        record = {
            "id": image,
            "name": "bitstream",
            "owner": "operator",
            "is_public": public,
            "status": "active",
            "container_format": "fpga",
            "disk_format": "raw",
            "updated_at": datetime.datetime(2026, 1, 1),
            "properties": properties,
        }
        self.glance.create(self.admin_context(), record)
        return image

    def publish_both(self):
        """One for each host, which the hosts know."""
        images = {name: self.publish(part) for name, part in self.PARTS.items()}
        self.audit()
        return images

    def withdraw(self, image):
        """Have neither Glance have it any more."""
        del self.glance.images[image]
        del self.cloud.images[image]

    def function_flavor(self, function="checksum", **more):
        return self.flavor_of({"hw:fpga_function": function} | more)

    def flavor_of(self, extra_specs):
        return self._create_flavor(
            name=f"function{len(self.api.get_flavors())}",
            memory_mb=64,
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec=extra_specs,
        )

    def burnt(self, host):
        """The images in the regions of a host that servers have."""
        return [r["image_id"] for r in self.ledgers[host].status()["regions"] if r["owner"]]

    def grant(self, server):
        with self.in_cell():
            return self.instance(server).system_metadata.get("fpga_grant_1")

    def traits(self, host):
        uuid = self.compute_node(host).uuid
        found = self.placement.get(f"/resource_providers/{uuid}/traits", version="1.6")
        return {one for one in found.body["traits"] if one.startswith("CUSTOM_ACCELERATOR_")}

    def allocated(self, server):
        allocations = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        return sum(a["resources"].get(REGION, 0) for a in allocations.values())

    def assert_nothing_is_held(self):
        self.assertEqual(([], []), (self.burnt("host1"), self.burnt("host2")))
        self.assertEqual((0, 0), (self.used("host1"), self.used("host2")))


class Traits(FunctionsTestCase):
    """What Placement knows of functions."""

    def every_trait(self):
        url = "/traits?name=startswith:CUSTOM_ACCELERATOR_"
        return set(self.placement.get(url, version="1.6").body["traits"])

    def test_host_has_the_traits_of_what_it_can_burn_and_no_others(self):
        self.publish("one")
        self.publish("two", "crypto")
        self.publish("two", "secret", public=False)
        self.publish("three", "zip")
        self.publish("one", "my checksum")
        self.audit()
        self.assertEqual({TRAIT}, self.traits("host1"))
        self.assertEqual({"CUSTOM_ACCELERATOR_CRYPTO"}, self.traits("host2"))

    def test_trait_of_a_function_that_no_host_has_any_more_is_deleted(self):
        image = self.publish("one")
        self.publish("two", "crypto")
        self.audit()
        self.flags(function_bitstreams=["nobody"], group="fpga")
        for _ in range(4):
            self.audit()
        self.assertEqual(set(), self.every_trait())
        self.flags(function_bitstreams=["operator"], group="fpga")
        self.audit()
        self.assertEqual({TRAIT}, self.traits("host1"))
        self.withdraw(image)


class Boots(FunctionsTestCase):
    """Servers of one flavor on hosts with other cards."""

    def test_one_flavor_boots_on_both_hosts_with_the_bitstream_of_each(self):
        images = self.publish_both()
        flavor = self.function_flavor()
        for host in self.HOSTS:
            server = self.boot(flavor, host=host)
            self.assertEqual([images[host]], self.burnt(host))
            self.assertEqual(f"function {images[host]} checksum", self.grant(server))
            self.assertEqual((1, 1), (self.used(host), self.allocated(server)))
            self.delete(server)
        self.assert_nothing_is_held()

    def test_host_that_cannot_have_the_function_is_never_asked(self):
        image = self.publish("two")
        self.audit()
        servers = [self.boot(self.function_flavor()) for _ in range(2)]
        self.assertEqual(([], [image] * 2), (self.burnt("host1"), self.burnt("host2")))
        self.assertIn("No valid host", self.fault(self.boot(self.function_flavor(), "ERROR")))
        self.assertNotIn("no bitstream of 'checksum'", self.stdlog.logger.output)
        self.delete(servers[0])
        self.boot(self.function_flavor())

    def test_flavor_with_class_and_trait_boots_as_well(self):
        images = self.publish_both()
        server = self.boot(
            self.flavor_of({f"resources:{REGION}": "1", f"trait:{TRAIT}": "required"}),
            host="host2",
        )
        self.assertEqual([images["host2"]], self.burnt("host2"))
        self.assertEqual((1, 1), (self.used("host2"), self.allocated(server)))

    def test_newest_version_is_taken_unless_another_is_pinned(self):
        self.publish("one", version="1.9")
        newest = self.publish("one", version="1.10")
        self.audit()
        first = self.boot(self.function_flavor(), host="host1")
        self.assertEqual([newest], self.burnt("host1"))
        self.delete(first)
        self.flags(function_versions={"checksum": "1.9"}, group="fpga")
        self.boot(self.function_flavor(), host="host1")
        self.assertNotEqual([newest], self.burnt("host1"))

    def test_two_functions_of_one_server(self):
        self.publish("one")
        self.publish("one", "crypto")
        self.audit()
        server = self.boot(self.function_flavor(**{"hw:fpga_function_2": "crypto"}))
        self.assertEqual(2, len(set(self.burnt("host1"))))
        self.assertEqual((2, 2), (self.used("host1"), self.allocated(server)))


class Refusals(FunctionsTestCase):
    """Bad input: a clear fault, and nothing is held."""

    def assert_refused(self, flavor, words, **options):
        server = self.boot(flavor, state="ERROR", **options)
        self.assertIn(words, self.fault(server))
        self.assertEqual(0, self.allocated(server))
        self.assert_nothing_is_held()

    def test_unknown_function(self):
        self.publish_both()
        self.assert_refused(self.function_flavor("sha-512"), "no host has the function 'sha_512'")

    def test_unknown_trait(self):
        self.publish_both()
        specs = {f"resources:{REGION}": "1", "trait:CUSTOM_ACCELERATOR_NONE": "required"}
        self.assert_refused(self.flavor_of(specs), "no host has the function 'none'")

    def test_two_spellings(self):
        self.publish_both()
        flavor = self.function_flavor(**{"hw:fpga_ip_id": self.image})
        self.assert_refused(flavor, "names both a bitstream and a function for region 1")
        flavor = self.function_flavor(**{f"resources:{REGION}": "1"})
        self.assert_refused(flavor, f"has hw:fpga_function and names {REGION} itself")

    def test_function_with_a_space_is_refused_by_the_api(self):
        refused = self.assertRaises(
            client.OpenStackApiException, self.function_flavor, "my checksum"
        )
        self.assertEqual(400, refused.response.status_code)

    def test_function_with_a_space_in_an_old_microversion(self):
        flavor = self.plain_flavor()
        self.api.microversion = "2.85"
        self.api.post_extra_spec(flavor, {"extra_specs": {"hw:fpga_function": "my checksum"}})
        self.api.microversion = self.microversion
        self.assert_refused(flavor, "'my checksum', which is not a function")

    def test_trait_with_a_space_in_an_old_microversion(self):
        self.publish_both()
        flavor = self.plain_flavor()
        specs = {f"resources:{REGION}": "1", "trait:CUSTOM_ACCELERATOR_MY CHECKSUM": "required"}
        self.api.microversion = "2.85"
        self.api.post_extra_spec(flavor, {"extra_specs": specs})
        self.api.microversion = self.microversion
        self.assert_refused(flavor, "no host has the function 'my checksum'")

    def test_project_without_access_to_the_bitstream(self):
        real = self.glance.show

        def show(context, image_id, *arguments, **more):
            if image_id in private and context.project_id != "operator":
                raise exception.ImageNotFound(image_id=image_id)
            return real(context, image_id, *arguments, **more)

        self.flags(function_bitstreams=["operator"], group="fpga")
        private = {self.publish(part, public=False) for part in self.PARTS.values()}
        self.useFixture(fixtures.MockPatchObject(self.glance, "show", show))
        self.audit()
        self.assertEqual(({TRAIT}, {TRAIT}), (self.traits("host1"), self.traits("host2")))
        self.assert_refused(self.function_flavor(), "Glance does not show you any bitstream")
        private.clear()
        bitstream_images.forget()
        self.boot(self.function_flavor())

    def test_bitstream_that_is_withdrawn_before_the_host_chooses(self):
        images = self.publish_both()
        for image in images.values():
            self.withdraw(image)
        self.assert_refused(self.function_flavor(), "Glance does not show you any bitstream")

    def test_bitstream_that_is_withdrawn_between_choice_and_burn(self):
        images = self.publish_both()
        for image in images.values():
            del self.cloud.images[image]
        self.assert_refused(self.function_flavor(), "Glance has no such image")

    def test_operator_who_accepts_it_no_more(self):
        self.publish_both()
        self.flags(function_bitstreams=["nobody"], group="fpga")
        self.assert_refused(self.function_flavor(), "the operator accepts no bitstream")


class Moves(FunctionsTestCase):
    """The choice is the grant on record, and every path agrees on it."""

    def server(self, host="host1"):
        self.images, self.flavor = self.publish_both(), self.function_flavor()
        return self.boot(self.flavor, host=host)

    def test_evacuated_to_other_cards_it_gets_another_bitstream_of_the_function(self):
        server = self.server()
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        self._evacuate_server(server, expected_host="host2")
        self.assertEqual([self.images["host2"]], self.burnt("host2"))
        self.assertEqual(f"function {self.images['host2']} checksum", self.grant(server))

    def test_migrated_and_reverted_it_has_what_its_old_host_burnt(self):
        server = self._migrate_server(self.server())
        self.assertEqual(
            ([self.images["host1"]], [self.images["host2"]]),
            (self.burnt("host1"), self.burnt("host2")),
        )
        self._revert_resize(server)
        self.assertEqual(([self.images["host1"]], []), (self.burnt("host1"), self.burnt("host2")))
        # What it has had there is burnt again, and not what it had elsewhere.
        region = self.ledgers["host1"].status()["regions"][0]
        (self.ledgers["host1"].state / "fake" / region["id"]).unlink(missing_ok=True)
        self.audit()
        self.assertEqual([self.images["host1"]], self.burnt("host1"))
        rebuilt = self._rebuild_server(server, "155d900f-4e14-4e4c-a73d-069cbf4541e6")
        self.assertEqual([self.images["host1"]], self.burnt("host1"))
        self.assertEqual(f"function {self.images['host1']} checksum", self.grant(rebuilt))

    def test_shelved_and_unshelved_on_the_other_host(self):
        server = self._shelve_server(self.server())
        self.assertEqual([], self.burnt("host1"))
        for _ in range(self.CARDS):
            self.boot(self.function_flavor(), host="host1")
        server = self._unshelve_server(server)
        self.assertEqual([self.images["host2"]], self.burnt("host2"))

    def test_rebuilt_it_keeps_its_bitstream_though_there_is_a_newer_one(self):
        server = self.server()
        self.publish("one", version="2.0")
        self.audit()
        self._rebuild_server(server, "155d900f-4e14-4e4c-a73d-069cbf4541e6")
        self.assertEqual([self.images["host1"]], self.burnt("host1"))

    def withdraw_acceptance(self):
        """Have no host accept any bitstream; hosts say so with their next audit."""
        self.flags(function_versions={"checksum": "9"}, group="fpga")

    def enable(self, host, enabled):
        status = {"status": "enabled" if enabled else "disabled"}
        service = self.computes[host].service_ref.uuid
        self.admin_api.put_service(service, status)

    def test_moved_it_keeps_its_bitstream_though_no_host_accepts_it_any_more(self):
        server = self._shelve_server(self.server())
        self.withdraw_acceptance()
        self.audit()
        self.assertEqual(set(), self.traits("host1") | self.traits("host2"))
        self.assertIn("no host has the function", self.fault(self.boot(self.flavor, "ERROR")))
        self.enable("host2", False)
        server = self._unshelve_server(server)
        self.assertEqual([self.images["host1"]], self.burnt("host1"))
        self._rebuild_server(server, "155d900f-4e14-4e4c-a73d-069cbf4541e6")
        self.assertEqual([self.images["host1"]], self.burnt("host1"))
        self.assertEqual((1, 1), (self.used("host1"), self.allocated(server)))

    def test_unshelved_on_a_host_that_accepts_nothing_it_stays_shelved(self):
        server = self._shelve_server(self.server())
        self.withdraw_acceptance()
        self.enable("host1", False)
        self.api.post_server_action(server["id"], {"unshelve": None})
        self._wait_for_action_fail_completion(server, "unshelve", "compute_unshelve_instance")
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        self.assertEqual("SHELVED_OFFLOADED", self.api.get_server(server["id"])["status"])
        self.assertEqual(0, self.allocated(server))
        self.assert_nothing_is_held()
        self.enable("host1", True)
        self.enable("host2", False)
        self._unshelve_server(server)
        self.assertEqual([self.images["host1"]], self.burnt("host1"))

    def test_evacuated_to_a_host_that_accepts_nothing_it_is_as_it_was(self):
        server = self.server()
        self.withdraw_acceptance()
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        self.api.post_server_action(server["id"], {"evacuate": {}})
        self._wait_for_migration_status(server, ["failed"])
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        self.assertEqual("ACTIVE", self.api.get_server(server["id"])["status"])
        self.assertEqual(f"function {self.images['host1']} checksum", self.grant(server))
        self.assertEqual(([self.images["host1"]], []), (self.burnt("host1"), self.burnt("host2")))
        self.assertEqual((0, 1), (self.used("host2"), self.allocated(server)))
