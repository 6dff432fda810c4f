# SPDX-License-Identifier: Apache-2.0
"""Snapshots, backups and shelving of servers of a patched Nova, whose containers are real."""

from novadocker import snapshots
from tests.functional.novadocker import cloud


class SnapshotTestCase(cloud.CloudTestCase):
    """A server that wrote a file."""

    def setUp(self):
        super().setUp()
        self.flags(shelved_offload_time=0)
        self.flavor = self.plain_flavor()
        self.server = self.start(flavor=self.flavor)
        self.run_in(self.server, "echo kept > /file")
        self.images = self.image_ids()

    def container(self, server):
        return self.engine().containers.get(f"nova-{server['id']}")

    def run_in(self, server, line):
        """Run a line of shell in a server's container; its output."""
        done = self.container(server).exec_run(["sh", "-c", line])
        self.assertEqual(0, done.exit_code, done.output)
        return done.output.decode()

    def image_ids(self):
        return {image["id"] for image in self.glance.detail(None)}

    def act(self, server, **action):
        self.api.post_server_action(server["id"], action)
        return self.idle(server)

    def new_image(self):
        """The one image that came since the server was made; active once it is uploaded."""
        self._wait_until(self.server, lambda _: len(self.image_ids() - self.images) == 1)
        (image,) = self.image_ids() - self.images
        self.idle(self.server)
        return image

    def limit_images(self):
        """Have images be smaller than that of the server."""
        self.flags(image_max_unpacked_size=1, group="docker")


class ServersHaveSnapshots(SnapshotTestCase):
    """Images of servers."""

    def test_a_server_boots_of_a_snapshot(self):
        self.act(self.server, createImage={"name": "copy"})
        copy = self.start(image=self.new_image(), flavor=self.flavor)
        self.assertEqual("kept\n", self.run_in(copy, "cat /file"))
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])

    def test_a_server_boots_of_a_backup(self):
        backup = {"name": "copy", "backup_type": "daily", "rotation": 100}
        self.act(self.server, createBackup=backup)
        copy = self.start(image=self.new_image(), flavor=self.flavor)
        self.assertEqual("kept\n", self.run_in(copy, "cat /file"))

    def test_a_snapshot_that_fails_leaves_the_server_alone(self):
        started = self.container(self.server).attrs["State"]["StartedAt"]
        self.limit_images()
        self.act(self.server, createImage={"name": "copy"})
        self.assertIn("No snapshot was taken: the server has", self.reason(self.server))
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.assertEqual(started, self.container(self.server).attrs["State"]["StartedAt"])
        self.assertEqual(self.images, self.image_ids())

    def test_a_nova_compute_that_starts_goes_on_after_an_interrupted_snapshot(self):
        with self.in_cell():
            instance = self.instance(self.server)
            instance.task_state = "image_uploading"
            instance.save()
        labels = f"LABEL org.openstack.nova.snapshot={instance.uuid}"
        self.container(self.server).commit(snapshots.REPOSITORY, instance.uuid, changes=labels)
        self.compute = self.restart_compute_service(self.compute, keep_hypervisor_state=False)
        self.assertEqual([], self.engine().images.list(name=snapshots.REPOSITORY))
        self.act(self.server, createImage={"name": "copy"})
        self.new_image()


class ServersAreShelved(SnapshotTestCase):
    """Servers that are taken off their host."""

    def test_a_shelved_server_comes_back_with_what_was_written(self):
        for _time in range(2):
            self._shelve_server(self.server)
            self.assertEqual({}, self.containers())
            self._unshelve_server(self.server)
            self.assertEqual("kept\n", self.run_in(self.server, "cat /file"))
            self.assertEqual(self.images, self.image_ids())
        self.assertEqual(self.image, self.api.get_server(self.server["id"])["image"]["id"])

    def test_a_server_that_is_shelved_on_its_host_keeps_its_container(self):
        self.flags(shelved_offload_time=-1)
        name = f"nova-{self.server['id']}"
        before = self.container(self.server).id
        self._shelve_server(self.server, "SHELVED")
        self.assertEqual({name: "exited"}, self.containers())
        self._unshelve_server(self.server)
        self.assertEqual({name: "running"}, self.containers())
        self.assertEqual(before, self.container(self.server).id)

    def test_a_shelved_server_is_offloaded_later(self):
        self.flags(shelved_offload_time=-1)
        self._shelve_server(self.server, "SHELVED")
        self._shelve_offload_server(self.server)
        self.assertEqual({}, self.containers())
        self._unshelve_server(self.server)
        self.assertEqual("kept\n", self.run_in(self.server, "cat /file"))

    def test_a_shelving_that_fails_leaves_the_server_running(self):
        self.limit_images()
        self.act(self.server, shelve={})
        self.assertIn("No snapshot was taken: the server has", self.reason(self.server))
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.assertEqual({f"nova-{self.server['id']}": "running"}, self.containers())
        self.assertEqual(self.images, self.image_ids())

    def test_a_stopped_server_whose_shelving_fails_stays_stopped(self):
        self._stop_server(self.server)
        self.limit_images()
        self.act(self.server, shelve={})
        self.assertIn("No snapshot was taken", self.reason(self.server))
        self.assertEqual("SHUTOFF", self.idle(self.server)["status"])
        self.assertEqual({f"nova-{self.server['id']}": "exited"}, self.containers())

    def test_a_shelved_server_is_deleted(self):
        self._shelve_server(self.server)
        self.delete(self.server)
        self.assertEqual({}, self.containers())


class ServersAreSoftDeleted(SnapshotTestCase):
    """Servers that are deleted only after a while."""

    def setUp(self):
        super().setUp()
        self.flags(reclaim_instance_interval=3600)
        self.api.delete_server(self.server["id"])
        self._wait_for_state_change(self.server, "SOFT_DELETED")

    def test_the_container_stops_and_a_restore_starts_it(self):
        name = f"nova-{self.server['id']}"
        self.assertEqual({name: "exited"}, self.containers())
        self.compute = self.restart_compute_service(self.compute)
        self.assertEqual({name: "exited"}, self.containers())
        self.api.post_server_action(self.server["id"], {"restore": {}})
        self._wait_for_state_change(self.server, "ACTIVE")
        self.assertEqual("kept\n", self.run_in(self.server, "cat /file"))

    def test_a_reclaimed_one_leaves_nothing(self):
        self.api.post_server_action(self.server["id"], {"forceDelete": {}})
        self._wait_until_deleted(self.server)
        self.assertEqual({}, self.containers())
