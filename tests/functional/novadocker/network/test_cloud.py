# SPDX-License-Identifier: Apache-2.0
"""Nova's API and compute manager over networked containers; Neutron is Nova's fixture."""

import fixtures
import os_vif
import os_vif.exception
import pytest

from benchmarks import network
from tests.functional.novadocker import cloud


class NetworkedServers(cloud.CloudTestCase):
    """Servers with the fixture's ports on a real switch."""

    @pytest.fixture(autouse=True)
    def _switch(self, switch, _engine):
        type(self).switch = switch
        yield
        assert switch.remainder() == []

    def configure(self):
        super().configure()
        self.flags(instances_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(ovsdb_connection=self.switch.connection, group="os_vif_ovs")

    def setUp(self):
        super().setUp()
        for port in (self.neutron.port_1, self.neutron.port_2):
            self.neutron._ports[port["id"]] = {
                **port,
                "binding:vif_details": {"datapath_type": "netdev"},
            }

    def boot_on(self, *ports, state="ACTIVE"):
        return self._create_server(
            flavor_id=self.plain_flavor(),
            image_uuid=self.image,
            networks=[{"port": port["id"]} for port in ports],
            expected_state=state,
        )

    def inside(self, server, line):
        container = self.engine().containers.get(f"nova-{server['id']}")
        return container.exec_run(["sh", "-c", line]).output.decode()

    def test_a_server_gets_its_address_and_leaves_nothing(self):
        server = self.boot_on(self.neutron.port_2)
        self.assertIn("inet addr:192.168.1.30", self.inside(server, "ifconfig eth0"))
        self.assertEqual(2, len(self.containers()))
        self.assertEqual(1, len(self.switch.ports()))
        self._stop_server(server)
        self.assertEqual([], self.switch.ports())
        self._start_server(server)
        self.assertIn("inet addr:192.168.1.30", self.inside(server, "ifconfig eth0"))
        self._reboot_server(server, hard=True)
        self._rebuild_server(server, self.upload(self.archive))
        self.assertIn("inet addr:192.168.1.30", self.inside(server, "ifconfig eth0"))
        self.delete(server)
        self.assertEqual({}, self.containers())
        self.assertEqual([], self.switch.remainder())

    def test_the_log_of_a_boot_tells_the_driver_from_neutron(self):
        before = len(self.stdlog.logger.output)
        server = self.boot_on(self.neutron.port_2)
        log = self.stdlog.logger.output[before:]
        self.assertIn("for Neutron to allocate its ports", log)
        driver, waits = network.spawned(log)
        self.assertGreater(driver, waits)
        self.delete(server)

    def test_an_interface_is_attached_and_detached(self):
        server = self.start()
        port = self.neutron.port_2["id"]
        self._attach_interface(server, port)
        self.assertIn("192.168.1.30", self.inside(server, "ifconfig eth0"))
        self._detach_interface(server, port)
        self.assertNotIn("eth0", self.inside(server, "ls /sys/class/net"))
        self.delete(server)

    def test_a_port_whose_owner_deletes_it(self):
        server = self.boot_on(self.neutron.port_2)
        port = self.neutron.port_2["id"]
        self.neutron.delete_port(port)
        event = {"name": "network-vif-deleted", "server_uuid": server["id"], "tag": port}
        self.api.create_server_external_events([event])
        self._wait_until(server, lambda _: self.switch.remainder() == [])
        self.delete(server)

    def test_a_start_of_nova_compute_mends_the_network(self):
        server = self.boot_on(self.neutron.port_2)
        (port,) = self.switch.ports()
        self.switch.on_host(f"ip link del {port}")
        self.compute = self.restart_compute_service(self.compute)
        self.assertIn("192.168.1.30", self.inside(server, "ifconfig eth0"))
        self.delete(server)

    def test_a_port_that_is_not_bound_gives_the_user_the_reason(self):
        port = {**self.neutron.port_2, "binding:vif_type": "binding_failed"}
        self.neutron._ports[port["id"]] = port
        server = self.boot_on(port, state="ERROR")
        self.assertIn(port["id"], self.fault(server))
        self.assertEqual({}, self.containers())
        self.delete(server)

    def test_a_port_that_neutron_never_reports_gives_the_user_the_reason(self):
        self.flags(vif_plugging_timeout=1)
        self.flags(max_attempts=3, group="scheduler")
        port = {**self.neutron.port_2, "status": "DOWN", "binding:vif_type": "ovs"}
        self.neutron._ports[port["id"]] = port
        server = self.boot_on(port, state="ERROR")
        self.assertIn(f"did not report {port['id']} plugged within 1 s", self.fault(server))
        self.assertEqual({}, self.containers())
        self.assertEqual([], self.switch.remainder())
        self.delete(server)

    def test_a_server_that_was_deleted_while_its_switch_was_away_is_destroyed_again(self):
        server = self.boot_on(self.neutron.port_2)
        real = os_vif.unplug

        def unplug(vif, info):
            raise os_vif.exception.UnplugException(vif=vif, err="no switch")

        os_vif.unplug = unplug
        try:
            self.delete(server)
        finally:
            os_vif.unplug = real
        self.assertEqual([server["id"]], self.compute.manager.driver.list_instance_uuids())
        with self.in_cell() as context:
            self.compute.manager._cleanup_running_deleted_instances(context)
        self.assertEqual([], self.compute.manager.driver.list_instance_uuids())
        self.assertEqual([], self.switch.remainder())
