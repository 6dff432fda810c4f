# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova are shelved with their memory, and come back with it."""

import pytest

from tests.functional.novadocker import cloud
from tests.functional.novadocker.live import live_engine
from tests.functional.novadocker.live.conftest import LOOP
from tests.functional.novadocker.live.test_suspend import debugged


class ShelvedServersKeepMemory(cloud.CloudTestCase):
    """A server that is warm, on a host whose operator has it so."""

    @pytest.fixture(autouse=True)
    def _criu(self, criu):
        type(self).criu = criu

    def configure(self):
        super().configure()
        _settings, options = live_engine.prepare(self.dockerd, self.criu)
        self.flags(**options, live_shelve=True, group="docker")

    def setUp(self):
        super().setUp()
        self.flags(shelved_offload_time=0)
        command = {"os_command_line": f'sh -c "{LOOP}"'}
        self.server = self.start(image=self.upload(self.archive, properties=command))
        self.images = self._images()
        self.word = self._word()

    def _images(self):
        return {image["id"] for image in self.glance.detail(None)}

    def _container(self):
        return self.engine().containers.get(f"nova-{self.server['id']}")

    def _word(self):
        """What is in its memory alone."""
        line = "until [ -s /tmp/answer ]; do sleep 0.1; done; cat /tmp/answer"
        return self._container().exec_run(["sh", "-c", line]).output.split()[0]

    def test_a_server_comes_back_with_its_memory(self):
        self._shelve_server(self.server)
        self.assertEqual({}, self.containers())
        self._unshelve_server(self.server)
        self._container().exec_run(["rm", "/tmp/answer"])
        self.assertEqual(self.word, self._word())
        self.assertEqual(self.images, self._images())

    def test_a_server_that_cannot_be_dumped_goes_on_and_leaves_no_image(self):
        with debugged(self._container()):
            self.api.post_server_action(self.server["id"], {"shelve": {}})
            self.assertIn("being traced", self.reason(self.server))
            self.assertEqual("ACTIVE", self.idle(self.server)["status"])
        self.assertEqual(self.images, self._images())
        self.assertEqual(self.word, self._word())

    def test_a_host_without_live_images_refuses_and_another_attempt_may_succeed(self):
        self._shelve_server(self.server)
        live = self.compute.manager.driver.live
        live.refusal = "not today"
        self.api.post_server_action(self.server["id"], {"unshelve": None})
        self.assertIn("its host has no live images: not today", self.reason(self.server))
        self.assertEqual("SHELVED_OFFLOADED", self.idle(self.server)["status"])
        live.refusal = None
        self._unshelve_server(self.server)
        self.assertEqual(self.word, self._word())
