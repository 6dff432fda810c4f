# SPDX-License-Identifier: Apache-2.0
"""Servers of a host that died, made anew on another."""

from nova.virt import node

from novadocker import request
from tests.functional.novadocker import cloud


class ContainersAreMadeAnewElsewhere(cloud.CloudTestCase):
    """Two compute hosts; the first dies, and its container with it."""

    microversion = "2.94"  # from 2.95 on, an evacuated server is stopped

    def setUp(self):
        super().setUp()
        self.server = self.start()
        self.compute.stop()
        self.admin_api.put_service_force_down(self.compute.service_ref.uuid, True)
        self.report_regions({"host2": 0})
        self.flags(host="host2")
        node.LOCAL_NODE_UUID = None  # of the process, which is another host from here on
        self._start_compute("host2")

    def test_evacuated_server_has_a_new_container_with_the_label_of_its_new_host(self):
        self.remove_container(self.server)
        self._evacuate_server(self.server, expected_host="host2", expected_state="ACTIVE")
        container = self.engine().containers.get(f"nova-{self.server['id']}")
        self.assertEqual("running", container.status)
        self.assertEqual("host2", container.labels[request.LABEL_HOST])

    def test_container_that_is_there_already_is_not_replaced(self):
        first = self.engine().containers.get(f"nova-{self.server['id']}").id
        self._evacuate_server(
            self.server,
            expected_host="host1",
            expected_state="ERROR",
            expected_migration_status="failed",
        )
        self.assertIn("already exists", self.reason(self.server))
        self.assertEqual(first, self.engine().containers.get(f"nova-{self.server['id']}").id)
