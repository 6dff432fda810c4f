# SPDX-License-Identifier: Apache-2.0
"""The class that tests of servers derive from: a patched Nova, in process, over a real engine."""

import hashlib
import io
import threading
import time

import docker
import fixtures
import pytest
from nova import context as nova_context
from nova import objects
from nova.compute import manager

from tests.functional import base
from tests.functional.novadocker import dockerd as engines


class CloudTestCase(base.FunctionalTestCase):
    """Nova's API, conductor, scheduler and compute manager over the driver."""

    dockerd: engines.Dockerd
    archive: bytes

    @pytest.fixture(autouse=True)
    def _engine(self, dockerd, archive):
        type(self).dockerd = dockerd
        type(self).archive = archive
        yield
        if dockerd._process is None:
            dockerd.start()
        dockerd.remove_containers()

    def configure(self):
        super().configure()
        self.flags(compute_driver="novadocker.virt.docker.DockerDriver")
        self.flags(host_url=self.dockerd.url, start_timeout=0, group="docker")
        self.flags(host="host1", instances_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(max_attempts=1, group="scheduler")

    def setUp(self):
        self._handles_events_in_cell()
        super().setUp()
        self._keep_uploads()
        self.image = self.upload(self.archive)

    def _keep_uploads(self):
        """Have Nova's stand-in for Glance keep what is uploaded to an image that is there."""
        update = self.glance.update

        def update_and_keep(context, image_id, metadata, data=None, purge_props=False):
            image = update(context, image_id, metadata, purge_props=purge_props)
            if data is not None:
                content = b"".join(iter(lambda: data.read(1 << 20), b""))
                self.glance._imagedata[image_id] = content
                digest = hashlib.sha512(content).hexdigest()
                image |= {"os_hash_algo": "sha512", "os_hash_value": digest, "size": len(content)}
            return image

        self.glance.update = update_and_keep

    def _handles_events_in_cell(self):
        """Have a compute manager look for the server of an event in the database of its cell.

        In a cloud it knows no other. Here the last one counts that anybody asked.
        """
        handle = manager.ComputeManager.handle_events
        of_anybody = nova_context.get_admin_context
        thread = threading.local()

        def handle_events(compute, event):
            thread.handles = True
            try:
                handle(compute, event)
            finally:
                thread.handles = False

        def get_admin_context(*arguments, **options):
            context = of_anybody(*arguments, **options)
            if getattr(thread, "handles", False):
                nova_context.set_target_cell(context, self.cell_mappings["cell1"])
            return context

        self.stub_out("nova.compute.manager.ComputeManager.handle_events", handle_events)
        self.stub_out("novadocker.events.SETTLING", 0)
        self.stub_out("nova.context.get_admin_context", get_admin_context)

    def upload(self, data, **changes):
        """Put an image into Glance; its id."""
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

    def start(self, state="ACTIVE", image=None, flavor=None):
        """Boot a server and wait until it is in a state."""
        return self._create_server(
            flavor_id=flavor or self.plain_flavor(),
            image_uuid=image or self.image,
            networks="none",
            expected_state=state,
        )

    def wait_until_gone(self, server):
        """Wait for a delete; Nova's own helper takes the state ERROR, in which this starts,
        for a failure."""
        end = time.monotonic() + 20
        while server["id"] in {found["id"] for found in self.api.get_servers(detail=False)}:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def engine(self):
        """The engine as an operator sees it."""
        client = docker.DockerClient(base_url=self.dockerd.url)
        self.addCleanup(client.close)
        return client

    def containers(self):
        """The state of each container, by its name."""
        found = self.engine().containers.list(all=True)
        return {container.name: container.status for container in found}

    def remove_container(self, server):
        """Do what ``docker rm --force`` does."""
        self.engine().containers.get(f"nova-{server['id']}").remove(force=True)

    def idle(self, server):
        """Wait until nothing is done with a server any more; what the API shows of it."""
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        return self.api.get_server(server["id"])

    def reason(self, server):
        """The reason of the last failed action; the API shows it of servers in ERROR only."""
        end = time.monotonic() + 20
        while True:
            with self.in_cell() as context:
                fault = objects.InstanceFault.get_latest_for_instance(context, server["id"])
            if fault is not None:
                return fault.message
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
