# SPDX-License-Identifier: Apache-2.0
"""Servers whose image, not whose flavor, names the bitstream."""

import fixtures
from nova import exception, objects
from nova.db.main import api as main_db_api
from nova.image import glance as image_api
from nova.tests.fixtures import glance

from fpga_manage.check import sources
from fpga_nova import bitstream_images, image_bitstreams, request
from tests.functional import recorder
from tests.functional.test_hooks import HooksTestCase
from tests.functional.test_lifecycle import LifecycleTestCase
from tests.support import bitstreams

OPERATOR = "99999999999949998999999999999999"
CONTAINER = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_CONTAINER = "bbbbbbbb-0000-4000-8000-000000000002"


class ImageBitstreamsTestCase(HooksTestCase):
    """An operator who accepts the bitstreams of one project."""

    def configure(self):
        super().configure()
        self.flags(image_bitstreams=[OPERATOR], group="fpga")
        bitstream_images.forget()

    def publish(self, owner=OPERATOR, bitstream=None, container=CONTAINER):
        """Have Glance know a bitstream, and an image that names it."""
        context = self.admin_context()
        bitstream = bitstream or self.image
        known = {"id": bitstream, "name": "bitstream", "owner": owner, "properties": {}}
        self.glance.create(context, known)
        container = {
            "id": container,
            "name": "container",
            "status": "active",
            "size": 1,
            "container_format": "docker",
            "disk_format": "raw",
            "properties": {"hw_fpga_ip_id": bitstream},
        }
        self.glance.create(context, container)

    def refused(self):
        """A bitstream that the operator does not accept, named by OTHER_CONTAINER."""
        bitstream = self.cloud.add(bitstreams.package())
        self.publish("somebody", bitstream, OTHER_CONTAINER)
        return bitstream

    def start(self, state="ACTIVE"):
        return self._create_server(
            image_uuid=CONTAINER,
            flavor_id=self.plain_flavor(),
            networks="none",
            expected_state=state,
        )

    def counts(self):
        return self.used(), self.host.status()["used"]


class ImageBitstreams(ImageBitstreamsTestCase):
    """A host with two regions."""

    def test_region_is_counted_burnt_kept_and_given_back(self):
        self.publish()
        server = self.start()
        self.assertEqual((1, 1), self.counts())
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])
        self.audit()
        self.assertEqual((1, 1), self.counts())
        self.delete(server)
        self.assertEqual((0, 0), self.counts())

    def test_flavor_stays_as_it_is(self):
        self.publish()
        specs = self.start()["flavor"]["extra_specs"]
        self.assertNotIn("hw:fpga_ip_id", specs)

    def test_bitstream_of_another_project_is_refused_before_any_host(self):
        self.publish(owner="somebody")
        server = self.start("ERROR")
        self.assertIn("not one that the operator accepts", self.fault(server))
        self.assertEqual(((0, 0), 0), (self.counts(), self.cloud.downloads))

    def test_build_refuses_what_a_scheduler_let_through(self):
        self.publish(owner="somebody")
        real = image_bitstreams.refusal
        calls = []

        def late(*arguments):
            calls.append(arguments)
            return real(*arguments) if len(calls) > 1 else None

        self.useFixture(fixtures.MonkeyPatch("fpga_nova.image_bitstreams.refusal", late))
        server = self.start("ERROR")
        self.assertIn("not one that the operator accepts", self.fault(server))
        self.assertEqual(((0, 0), 0), (self.counts(), self.cloud.downloads))

    def test_scheduler_counts_what_images_name(self):
        self.publish()
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.start("ERROR")))
        self.assertIn("Filter FpgaFilter returned 0 hosts", self.log())

    def test_rebuild_with_an_image_that_names_none_gives_the_region_back(self):
        self.publish()
        server = self.start()
        self._rebuild_server(server, glance.GlanceFixture.image2["id"])
        self.audit()
        self.assertEqual((0, 0), self.counts())

    def test_rebuild_with_an_image_that_names_one_gives_a_region(self):
        self.publish()
        server = self.boot(self.plain_flavor())
        self.assertEqual((0, 0), self.counts())
        self._rebuild_server(server, CONTAINER)
        self.audit()
        self.assertEqual((1, 1), self.counts())

    def test_server_keeps_its_region_where_the_operator_changes_his_mind(self):
        self.publish()
        server = self.start()
        self.flags(image_bitstreams=[], group="fpga")
        self.audit()
        self.assertEqual((1, 1), self.counts())
        self.delete(server)
        self.audit()
        self.assertEqual((0, 0), self.counts())

    def test_check_reads_what_was_granted_and_not_what_the_image_names(self):
        self.publish()
        server = self.start()
        with self.in_cell() as context:
            record = objects.Instance.get_by_uuid(context, server["id"])
            record.system_metadata["image_hw_fpga_ip_id"] = CONTAINER
            record.save()
            database = sources.Database(main_db_api.get_engine(context=context))
        self.assertEqual(
            [{1: self.image}], [request.bitstreams(one.extra_specs) for one in database.instances]
        )

    def test_image_names_nothing_where_the_operator_does_not_say_so(self):
        self.flags(image_bitstreams=[], group="fpga")
        self.publish()
        self.start()
        self.assertEqual((0, 0), self.counts())


class Rebuilds(ImageBitstreamsTestCase):
    """A rebuild that cannot have its bitstream is refused while the guest is there still."""

    def server(self):
        """An ordinary server, with all that a refused rebuild must leave alone."""
        server = self.boot(self.plain_flavor())
        self.before = self.looks(server)
        recorder.EVENTS.clear()
        return server

    def looks(self, server):
        """What there is of a server."""
        server_record, record = self.api.get_server(server["id"]), self.instance(server)
        allocations = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        return {
            "status": (
                server_record["status"],
                server_record["OS-EXT-STS:task_state"],
                server_record["image"],
            ),
            "metadata": record.system_metadata,
            "allocations": {name: one["resources"] for name, one in allocations.items()},
            "guest": server["id"] in self.compute.driver.list_instance_uuids(),
            "region": (self.regions().get(server["id"]) or {}).get("image_id"),
        }

    def rebuild(self, server, image):
        """Rebuild a server; what its event says of it."""
        self.api.post_server_action(server["id"], {"rebuild": {"imageRef": image}})
        action = self._wait_for_action_fail_completion(
            server, "rebuild", "compute_rebuild_instance"
        )
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        return action["details"]

    def assert_refused(self, server, image, words):
        details = self.rebuild(server, image)
        self.assertIn(words, details)
        self.assertIn("the server is as it was", details)
        self.assertEqual(self.before, self.looks(server))
        self.assertNotIn("destroy", recorder.EVENTS)

    def test_without_a_free_region(self):
        self.publish()
        server = self.server()
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)
        self.boot(flavor)
        self.assert_refused(server, CONTAINER, "no free region")

    def test_by_the_policy(self):
        self.refused()
        self.assert_refused(self.server(), OTHER_CONTAINER, "not one that the operator accepts")

    def test_that_glance_does_not_answer_for(self):
        self.publish()
        real = image_api.API.get

        def get(api, context, image_id, **options):
            if image_id == self.image:
                raise exception.GlanceConnectionFailed(server="glance", reason="down")
            return real(api, context, image_id, **options)

        self.useFixture(fixtures.MonkeyPatch("nova.image.glance.API.get", get))
        self.assert_refused(self.server(), CONTAINER, "so try again")

    def test_with_a_package_that_no_region_takes(self):
        bad = self.cloud.add(b"no zip")
        self.publish(bitstream=bad)
        self.assert_refused(self.server(), CONTAINER, "not a zip")

    def test_of_a_server_with_a_region_leaves_it_its_region(self):
        self.publish()
        self.refused()
        server = self._create_server(
            image_uuid=CONTAINER, flavor_id=self.plain_flavor(), networks="none"
        )
        self.before = self.looks(server)
        recorder.EVENTS.clear()
        self.assert_refused(server, OTHER_CONTAINER, "not one that the operator accepts")

    def test_that_was_refused_is_never_burnt_by_the_audit(self):
        self.publish()
        refused = self.refused()
        server = self._create_server(
            image_uuid=CONTAINER, flavor_id=self.plain_flavor(), networks="none"
        )
        with self.in_cell() as context:
            # What a refused rebuild left there before it was taken back.
            record = objects.Instance.get_by_uuid(context, server["id"])
            record.system_metadata["image_hw_fpga_ip_id"] = refused
            record.save()
        region = self.regions()[server["id"]]["id"]
        self.host.run("quarantine", region, "--reason", "fan")
        self.audit()
        self.assertFalse([path for path in self.cloud.requests if refused in path])
        image_ids = {r["image_id"] for r in self.host.status()["regions"]}
        self.assertNotIn(refused, image_ids)

    def test_with_the_same_image_asks_no_policy(self):
        self.publish()
        server = self._create_server(
            image_uuid=CONTAINER, flavor_id=self.plain_flavor(), networks="none"
        )
        self.flags(image_bitstreams=[], group="fpga")
        self._rebuild_server(server, CONTAINER)
        self.audit()
        self.assertEqual(self.image, self.looks(server)["region"])
        self.assertEqual((1, 1), self.counts())


class Moves(ImageBitstreamsTestCase, LifecycleTestCase):
    """A server gets on its new host what it was granted, though the policy has changed."""

    HOSTS = ("host1", "host2")

    def server(self):
        self.publish()
        server = self._create_server(
            image_uuid=CONTAINER, flavor_id=self.plain_flavor(), networks="none", host="host1"
        )
        self.flags(image_bitstreams=["nobody"], group="fpga")
        return server

    def burnt(self, host):
        return [r["image_id"] for r in self.ledgers[host].status()["regions"] if r["owner"]]

    def test_migrated_and_reverted(self):
        server = self._migrate_server(self.server())
        self.assertEqual(([self.image], [self.image]), (self.burnt("host1"), self.burnt("host2")))
        self._revert_resize(server)
        self.assert_owners([server], [])

    def test_migrated_after_a_refused_rebuild(self):
        self.refused()
        server = self.boot(self.plain_flavor(), host="host1")
        body = {"rebuild": {"imageRef": OTHER_CONTAINER}}
        self.api.post_server_action(server["id"], body)
        self._wait_for_action_fail_completion(server, "rebuild", "compute_rebuild_instance")
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        self._migrate_server(server)
        self.assert_owners()

    def test_evacuated_from_a_dead_host(self):
        server = self.server()
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        self._evacuate_server(server, expected_host="host2")
        self.assertEqual([self.image], self.burnt("host2"))

    def test_shelved_and_unshelved(self):
        server = self._shelve_server(self.server())
        self.assertEqual([], self.burnt("host1"))
        self._unshelve_server(server)
        self.assertEqual([self.image], self.burnt("host1") + self.burnt("host2"))
