# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova are resized on their host; their containers are real."""

from tests.functional.novadocker import cloud


class ServersAreResizedOnTheirHost(cloud.CloudTestCase):
    """A server that wrote a file, and a flavor with more memory."""

    def setUp(self):
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.server = self.start()
        self.name = f"nova-{self.server['id']}"
        self.run_in("echo kept > /file")
        self.images = {image["id"] for image in self.glance.detail(None)}
        self.flavor = self._create_flavor(memory_mb=96, vcpu=1, disk=1, ephemeral=0, name="larger")

    def run_in(self, line):
        done = self.engine().containers.get(self.name).exec_run(["sh", "-c", line])
        self.assertEqual(0, done.exit_code, done.output)
        return done.output.decode()

    def resize(self, flavor=None):
        body = {"resize": {"flavorRef": flavor or self.flavor}}
        self.api.post_server_action(self.server["id"], body)

    def resized(self):
        self.resize()
        self._wait_for_state_change(self.server, "VERIFY_RESIZE")

    def end(self, action, state="ACTIVE"):
        self.api.post_server_action(self.server["id"], {action: None})
        self._wait_for_state_change(self.server, state)
        self.idle(self.server)

    def memory(self):
        return self.engine().containers.get(self.name).attrs["HostConfig"]["Memory"] >> 20

    def is_whole(self, memory):
        self.assertEqual({self.name: "running"}, self.containers())
        self.assertEqual("kept\n", self.run_in("cat /file"))
        self.assertEqual(memory, self.memory())
        self.assertEqual(self.images, {image["id"] for image in self.glance.detail(None)})

    def test_a_confirmed_server_has_the_new_size(self):
        self.resized()
        self.assertEqual({self.name: "running", f"{self.name}-source": "exited"}, self.containers())
        self.end("confirmResize")
        self.is_whole(96)

    def test_a_reverted_server_has_the_old_size(self):
        self.resized()
        self.end("revertResize")
        self.is_whole(64)

    def test_a_stopped_server_stays_stopped(self):
        self._stop_server(self.server)
        self.resized()
        self.end("confirmResize", "SHUTOFF")
        self.assertEqual({self.name: "created"}, self.containers())
        self._start_server(self.server)
        self.is_whole(96)

    def test_a_stopped_server_that_is_reverted_stays_stopped(self):
        self._stop_server(self.server)
        self.resized()
        self.end("revertResize", "SHUTOFF")
        self.assertEqual({self.name: "exited"}, self.containers())

    def test_a_server_that_waits_for_its_confirmation_is_deleted(self):
        self.resized()
        self.api.delete_server(self.server["id"])
        self._wait_until_deleted(self.server)
        self.assertEqual({}, self.containers())

    def test_a_server_that_cannot_be_resized_runs_on(self):
        self.flags(image_max_unpacked_size=1, group="docker")
        self.resize()
        self.assertIn("The server was not moved: the server has", self.reason(self.server))
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.is_whole(64)

    def test_nova_compute_that_died_while_it_sent_the_files_starts_the_server_again(self):
        self.resized()
        with self.in_cell():
            instance = self.instance(self.server)
            instance.task_state, instance.vm_state = "resize_migrating", "active"
            instance.save()
        self.remove_container(self.server)
        self.compute = self.restart_compute_service(self.compute, keep_hypervisor_state=False)
        self.is_whole(64)

    def test_a_second_confirmation_is_refused(self):
        self.resized()
        self.end("confirmResize")
        answer = self.api.post_server_action(
            self.server["id"], {"confirmResize": None}, check_response_status=[409]
        )
        self.assertIn("vm_state active", str(answer))
        self.is_whole(96)
