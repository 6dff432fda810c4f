# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova are shelved with their memory, and come back with it."""

from tests.functional.novadocker.live import live_cloud
from tests.functional.novadocker.live.test_suspend import debugged


class ShelvedServersKeepMemory(live_cloud.LiveCloudTestCase):
    """A server that is warm, on a host whose operator has it so."""

    def configure(self):
        super().configure()
        self.flags(live_shelve=True, group="docker")

    def setUp(self):
        super().setUp()
        self.flags(shelved_offload_time=0)
        self.server = self.start(image=self.warm)
        self.known = self.images()
        self.memory = self.word(self.server)

    def test_a_server_comes_back_with_its_memory(self):
        self._shelve_server(self.server)
        self.assertEqual({}, self.containers())
        self._unshelve_server(self.server)
        self.container(self.server).exec_run(["rm", "/tmp/answer"])
        self.assertEqual(self.memory, self.word(self.server))
        self.assertEqual(self.known, self.images())

    def test_a_server_that_cannot_be_dumped_goes_on_and_leaves_no_image(self):
        with debugged(self.container(self.server)):
            self.api.post_server_action(self.server["id"], {"shelve": {}})
            self.assertIn("being traced", self.reason(self.server))
            self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.assertEqual(self.known, self.images())
        self.assertEqual(self.memory, self.word(self.server))

    def test_a_host_without_live_images_refuses_and_another_attempt_may_succeed(self):
        self._shelve_server(self.server)
        live = self.compute.manager.driver.live
        live.refusal = "not today"
        self.api.post_server_action(self.server["id"], {"unshelve": None})
        self.assertIn("its host has no live images: not today", self.reason(self.server))
        self.assertEqual("SHELVED_OFFLOADED", self.idle(self.server)["status"])
        live.refusal = None
        self._unshelve_server(self.server)
        self.assertEqual(self.memory, self.word(self.server))
