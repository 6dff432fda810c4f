# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova, in process, whose containers are real."""

from nova import exception

from tests.functional import base
from tests.functional.novadocker import cloud
from tests.support.host import wait_until


class ServersAreContainers(cloud.CloudTestCase):
    """What users do, and what an engine that is down does to it."""

    def test_a_server_lives_as_a_container(self):
        server = self.start()
        name = f"nova-{server['id']}"
        self.assertEqual({name: "running"}, self.containers())
        self._stop_server(server)
        self.assertEqual({name: "exited"}, self.containers())
        self._start_server(server)
        self._reboot_server(server, hard=True)
        self.api.post_server_action(server["id"], {"pause": None})
        self._wait_for_state_change(server, "PAUSED")
        self.assertEqual({name: "paused"}, self.containers())
        self.api.post_server_action(server["id"], {"unpause": None})
        self._wait_for_state_change(server, "ACTIVE")
        console = self.api.post_server_action(server["id"], {"os-getConsoleOutput": {}})
        self.assertIn("Ready: ", console["output"])
        self.delete(server)
        self.assertEqual({}, self.containers())

    def test_the_console_has_as_many_lines_as_are_asked_for(self):
        line = "sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 1000'"
        image = self.upload(self.archive, properties={"os_command_line": line})
        server = self.start(image=image)

        def console(**length):
            asked = {"os-getConsoleOutput": length}
            return self.api.post_server_action(server["id"], asked)["output"]

        everything = "".join(f"line {number}\n" for number in range(1, 6))
        wait_until(lambda: console() == everything)
        self.assertEqual(everything, console(length=100))
        self.assertEqual("line 4\nline 5\n", console(length=3))
        self.assertEqual("", console(length=0))

    def test_a_rebuild_makes_a_new_container(self):
        server = self.start()
        self._rebuild_server(server, self.upload(self.archive))
        self.assertEqual({f"nova-{server['id']}": "running"}, self.containers())

    def test_an_image_of_another_format_is_reported(self):
        image = self.upload(self.archive, container_format="bare")
        server = self.start("ERROR", image)
        self.assertIn("container format is bare, needs docker", self.fault(server))

    def test_the_engine_is_down(self):
        self.dockerd.stop()
        server = self.start("ERROR")
        self.assertIn("Docker Engine", self.fault(server))
        self.assertIn("start it", self.fault(server))
        self.delete(server)

    def test_a_delete_with_the_engine_down_is_an_error_and_works_later(self):
        server = self.start()
        self.dockerd.stop()
        self.api.delete_server(server["id"])
        self._wait_for_state_change(server, "ERROR")
        self.assertIn("start it", self.fault(server))
        self.dockerd.start()
        self.api.delete_server(server["id"])
        self.wait_until_gone(server)
        self.assertEqual({}, self.containers())

    def test_what_is_not_served_is_refused(self):
        server = self.start()
        refused = (
            exception.NovaException,
            base.integrated_helpers.api_client.OpenStackApiException,
        )
        self.assertRaises(
            refused, self.api.post_server_action, server["id"], {"os-getVNCConsole": {}}
        )
        self.assertEqual({f"nova-{server['id']}": "running"}, self.containers())
