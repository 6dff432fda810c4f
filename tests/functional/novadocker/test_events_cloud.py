# SPDX-License-Identifier: Apache-2.0
"""What a patched Nova makes of containers that change behind its back."""

import time

from nova.compute import power_state

from tests.functional.novadocker import cloud

#: Runs until somebody touches /end.
LINE = "sh -c 'rm -f /end; until test -e /end; do usleep 20000; done'"


class ContainersChange(cloud.CloudTestCase):
    """One server; its container ends, or an operator uses the engine."""

    def setUp(self):
        super().setUp()
        self.image = self.upload(self.archive, properties={"os_command_line": LINE})
        self.server = self.start()

    def container(self):
        return self.engine().containers.get(f"nova-{self.server['id']}")

    def end(self):
        self.container().exec_run(["touch", "/end"])

    def becomes(self, status):
        """Wait until the server has a status and nothing is done with it; seconds it took."""
        begin = time.monotonic()
        self._wait_until(self.server, lambda record: record["status"] == status)
        seconds = time.monotonic() - begin
        self.assertEqual(status, self.idle(self.server)["status"])
        return seconds

    def stays(self, status):
        """See that the server does not change within the time that an event takes."""
        time.sleep(2)
        self.assertEqual(status, self.idle(self.server)["status"])

    def test_a_container_that_ends_is_shut_off_within_two_seconds(self):
        self.end()
        self.assertLess(self.becomes("SHUTOFF"), 2)
        self._start_server(self.server)

    def test_a_container_that_ended_while_nova_compute_was_down_is_shut_off(self):
        self.compute.manager.driver.register_event_listener(None)
        self.end()
        self.compute = self.restart_compute_service(self.compute)
        self.becomes("SHUTOFF")

    def test_a_restart_of_the_engine_shuts_off(self):
        self.dockerd.stop()
        self.dockerd.start()
        self.assertLess(self.becomes("SHUTOFF"), 3)

    def test_a_restart_by_hand_changes_nothing(self):
        self.container().restart(timeout=0)
        self.stays("ACTIVE")
        self.assertEqual("running", self.container().status)

    def test_a_start_by_hand_is_undone(self):
        self._stop_server(self.server)
        self.container().start()
        self._wait_until(self.server, lambda _: self.container().status == "exited")
        self.stays("SHUTOFF")

    def test_a_pause_by_hand_shows_and_stops_nothing(self):
        self.container().pause()
        self._wait_until(
            self.server, lambda record: record["OS-EXT-STS:power_state"] == power_state.PAUSED
        )
        self.container().unpause()
        self._wait_until(
            self.server, lambda record: record["OS-EXT-STS:power_state"] == power_state.RUNNING
        )
        self.stays("ACTIVE")

    def test_what_nova_does_itself_is_not_undone(self):
        for hard in (False, True):
            self._reboot_server(self.server, hard=hard)
            self.stays("ACTIVE")
        self._stop_server(self.server)
        self._start_server(self.server)
        self.stays("ACTIVE")
        self._rebuild_server(self.server, self.image)
        self.stays("ACTIVE")
        self.assertEqual("running", self.container().status)

    def test_a_starting_host_resumes_and_stops_nothing(self):
        self.flags(resume_guests_state_on_host_boot=True)
        self.compute.manager.driver.register_event_listener(None)
        self.dockerd.stop()
        self.dockerd.start()
        self.compute = self.restart_compute_service(self.compute)
        self.stays("ACTIVE")
        self.assertEqual("running", self.container().status)

    def test_diagnostics_show_what_it_uses(self):
        found = self.api.api_get(f"/servers/{self.server['id']}/diagnostics").body
        self.assertEqual(("running", "docker"), (found["state"], found["hypervisor"]))
        self.assertGreater(found["memory_details"]["maximum"], 0)
        self.assertNotEqual(0, found["cpu_details"][0]["time"])
        self.api.microversion = "2.47"
        found = self.api.api_get(f"/servers/{self.server['id']}/diagnostics").body
        self.assertGreater(found["memory"], 0)
        self.assertNotEqual(0, found.get("memory-used"))
