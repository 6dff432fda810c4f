# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova whose containers and ports change behind Nova's back."""

import pathlib

from tests.functional.novadocker import cloud


class ContainersAreRemoved(cloud.CloudTestCase):
    """An operator ran ``docker rm``."""

    def setUp(self):
        super().setUp()
        self.server = self.start()
        self.remove_container(self.server)

    def runs(self):
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.assertEqual({f"nova-{self.server['id']}": "running"}, self.containers())

    def test_a_stop_is_done_and_a_start_makes_it_anew(self):
        self._stop_server(self.server)
        self._start_server(self.server)
        self.runs()

    def test_a_hard_reboot_makes_it_anew(self):
        self._reboot_server(self.server, hard=True)
        self.runs()

    def test_a_soft_reboot_makes_it_anew(self):
        self._reboot_server(self.server)
        self.runs()

    def test_a_rebuild_makes_it_anew(self):
        self._rebuild_server(self.server, self.upload(self.archive))
        self.runs()

    def test_a_pause_gives_the_way_out(self):
        self.api.post_server_action(self.server["id"], {"pause": {}})
        self.assertIn("hard reboot the server", self.reason(self.server))
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])

    def test_a_container_that_vanishes_during_a_rebuild_is_an_error(self):
        containers = self.compute.manager.driver.containers
        start = containers.start

        def vanish(uuid):
            self.remove_container({"id": uuid})
            start(uuid)

        containers.start = vanish
        image = self.upload(self.archive)
        self.api.post_server_action(self.server["id"], {"rebuild": {"imageRef": image}})
        self._wait_for_state_change(self.server, "ERROR")
        self.assertIn("has no container any more", self.fault(self.server))
        self.assertIsNone(self.idle(self.server)["OS-EXT-STS:task_state"])

    def test_the_console_is_not_there(self):
        with self.assertRaises(cloud.base.integrated_helpers.api_client.OpenStackApiException) as e:
            self.api.post_server_action(self.server["id"], {"os-getConsoleOutput": {}})
        self.assertEqual(404, e.exception.response.status_code)

    def test_a_starting_host_resumes_it(self):
        self.flags(resume_guests_state_on_host_boot=True)
        self.compute = self.restart_compute_service(self.compute)
        self.runs()


class OneServerIsDamaged(cloud.CloudTestCase):
    """The engine answers 500 for one container of two."""

    def test_nova_compute_starts_and_looks_after_the_other(self):
        flavor = self.plain_flavor()
        damaged, other = self.start(flavor=flavor), self.start(flavor=flavor)
        layer = self._layer(damaged)
        lost = layer.rename(layer.with_name("lost"))
        self.addCleanup(lost.rename, layer)
        self.flags(resume_guests_state_on_host_boot=True)
        self.compute = self.restart_compute_service(self.compute)
        with self.in_cell() as context:
            self.compute.manager._sync_power_states(context)
        self.audit()
        self._stop_server(other)
        self.assertEqual("ACTIVE", self.idle(damaged)["status"])
        self.api.post_server_action(damaged["id"], {"os-stop": {}})
        self.assertIn("Docker Engine did not", self.reason(damaged))
        self.assertEqual("ACTIVE", self.idle(damaged)["status"])

    def _layer(self, server):
        container = self.engine().containers.get(f"nova-{server['id']}")
        data = container.attrs["GraphDriver"]["Data"]
        if not data:
            self.skipTest("the containerd image store describes containers without their files")
        return pathlib.Path(data["UpperDir"]).parent


class SomebodyMakesAPort(cloud.CloudTestCase):
    """A port of Neutron whose device_id is a server that was booted without one."""

    def setUp(self):
        super().setUp()
        self.server = self.start()
        port = {**self.neutron.port_2, "device_id": self.server["id"]}
        port["binding:vif_type"] = "unbound"  # nobody but an administrator can bind it
        port["tenant_id"] = port["project_id"] = self.server["tenant_id"]
        self.neutron._ports[port["id"]] = port
        self.port = port["id"]
        with self.in_cell() as context:
            self.compute.manager._heal_instance_info_cache(context)
        self.assertEqual(1, len(self.instance(self.server).get_network_info()))

    def test_nova_compute_starts_and_logs_the_port(self):
        self.compute = self.restart_compute_service(self.compute)
        self.assertIn(
            f"A port is ignored: port {self.port} is not bound", self.stdlog.logger.output
        )
        self.assertEqual("ACTIVE", self.idle(self.server)["status"])

    def test_the_server_is_stopped_started_rebuilt_and_deleted(self):
        self._stop_server(self.server)
        self._start_server(self.server)
        self._rebuild_server(self.server, self.upload(self.archive))
        self.remove_container(self.server)
        self._reboot_server(self.server, hard=True)
        self.assertEqual({f"nova-{self.server['id']}": "running"}, self.containers())
        self.delete(self.server)
        self.assertEqual({}, self.containers())

    def test_the_port_can_be_deleted(self):
        self.neutron.delete_port(self.port)
        event = {"name": "network-vif-deleted", "server_uuid": self.server["id"], "tag": self.port}
        self.api.create_server_external_events([event])
        self._wait_until(self.server, lambda _: not self.instance(self.server).get_network_info())
        self.assertEqual({f"nova-{self.server['id']}": "running"}, self.containers())
