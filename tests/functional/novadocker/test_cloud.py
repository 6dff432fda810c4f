# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova, in process, whose containers are real."""

import hashlib
import io
import time

import docker
import pytest
from nova import exception

from tests.functional import base


class ServersAreContainers(base.FunctionalTestCase):
    """Nova's API, conductor, scheduler and compute manager over the driver."""

    @pytest.fixture(autouse=True)
    def _engine(self, dockerd, archive):
        type(self).dockerd = dockerd
        type(self).archive = archive
        yield
        if dockerd._process is None:
            dockerd.start()
        dockerd.remove_containers()

    def configure(self):
        self.flags(compute_driver="novadocker.virt.docker.DockerDriver")
        self.flags(host_url=self.dockerd.url, start_timeout=0, group="docker")
        self.flags(host="host1")
        self.flags(max_attempts=1, group="scheduler")

    def setUp(self):
        super().setUp()
        self.image = self.upload(self.archive)

    def upload(self, data, **changes):
        image = {
            "name": "demo",
            "container_format": "docker",
            "disk_format": "raw",
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(data).hexdigest(),
            "properties": {},
            **changes,
        }
        return self.glance.create(None, image, data=io.BytesIO(data))["id"]

    def start(self, state="ACTIVE", image=None):
        return self._create_server(
            flavor_id=self.plain_flavor(),
            image_uuid=image or self.image,
            networks="none",
            expected_state=state,
        )

    def wait_until_gone(self, server):
        # Nova's own helper takes the state ERROR, in which this starts, for a failure.
        end = time.monotonic() + 20
        while server["id"] in {found["id"] for found in self.api.get_servers(detail=False)}:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def containers(self):
        client = docker.DockerClient(base_url=self.dockerd.url)
        self.addCleanup(client.close)
        return {container.name: container.status for container in client.containers.list(all=True)}

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
        shown = self.api.post_server_action(server["id"], {"os-getConsoleOutput": {}})
        self.assertIn("Ready: ", shown["output"])
        self.delete(server)
        self.assertEqual({}, self.containers())

    def test_a_rebuild_makes_a_new_container(self):
        server = self.start()
        self._rebuild_server(server, self.upload(self.archive))
        self.assertEqual({f"nova-{server['id']}": "running"}, self.containers())

    def test_an_image_of_another_format_is_told(self):
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
