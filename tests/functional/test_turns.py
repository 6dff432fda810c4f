# SPDX-License-Identifier: Apache-2.0
"""Servers that are booted as soon as another one is gone, on a host without a region to spare.

That is why the erase is inside the delete (docs/lifecycle.md). With FPGA_NOVA_ALL_POINTS, there are
200 turns.
"""

import os
import threading

import fixtures
from nova.conductor import manager
from nova.tests.functional.api import client as api_client

from fpga_hooks.program import client
from tests.functional.test_hooks import HooksTestCase
from tests.support import bitstreams
from tests.support.host import wait_until

TURNS = 200 if os.environ.get("FPGA_NOVA_ALL_POINTS") else 3
REGIONS = 2
ERASE = 0.3  # seconds
_PATIENCE = 60  # seconds


class FullHost(HooksTestCase):
    """A host with two regions, whose hardware takes its time for an erase."""

    def configure(self):
        super().configure()
        self.host.configure(drivers="fake", fake__regions=REGIONS, fake__clear_delay=ERASE)
        self.image = self.cloud.add(bitstreams.package(target={"board": "fake", "part": "fake"}))
        #: Servers that a host has sent back to the conductor.
        self.rescheduled = []
        real = manager.ComputeTaskManager.build_instances

        def build(conductor, context, instances, *arguments, **more):
            self.rescheduled += [instance.uuid for instance in instances]
            return real(conductor, context, instances, *arguments, **more)

        name = "nova.conductor.manager.ComputeTaskManager.build_instances"
        self.useFixture(fixtures.MonkeyPatch(name, build))

    def turns(self, count):
        """Fill the host, then delete and boot in turns; the faults of what was refused."""
        flavor, faults = self.fpga_flavor(self.image), []
        servers = [self.boot(flavor) for _ in range(REGIONS)]
        for _ in range(count):
            oldest = servers.pop(0)
            self.api.delete_server(oldest["id"])
            self.gone(oldest)
            request = self._build_server(flavor_id=flavor, networks="none")
            server = self.api.post_server({"server": request})
            if self.settle(server) == "ERROR":
                faults.append(self.fault(server))
            servers.append(server)
        for server in servers:
            self.delete(server)
        return faults

    def gone(self, server):
        """Return as soon as the API does not have a server any more."""

        def asked():
            try:
                self.api.get_server(server["id"])
            except api_client.OpenStackApiNotFoundException:
                return True
            return False

        wait_until(asked, _PATIENCE)


class EraseInsideDelete(FullHost):
    """The order that there is."""

    def test_no_server_is_refused_or_built_twice(self):
        self.assertEqual(([], []), (self.turns(TURNS), self.rescheduled))
        self.assertEqual(0, self.host.status()["used"])


class EraseAfterDelete(FullHost):
    """The other order: Nova has given the region away while it holds the bits of another."""

    def configure(self):
        super().configure()
        real, begin = client.erase, threading.Event()
        threads = []

        def erase(owner):
            thread = threading.Thread(target=lambda: begin.wait(_PATIENCE) and real(owner))
            threads.append(thread)
            thread.start()

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.program.client.erase", erase))
        self.addCleanup(lambda: [thread.join() for thread in threads])
        self.addCleanup(begin.set)

    def test_a_server_is_sent_back_and_refused(self):
        (fault,) = self.turns(1)
        self.assertIn("Exceeded maximum number of retries", fault)
        self.assertEqual(1, len(self.rescheduled))
