# SPDX-License-Identifier: Apache-2.0
"""The class that tests of live images in a patched Nova derive from."""

import pytest

from tests.functional.novadocker import cloud
from tests.functional.novadocker.live import live_engine
from tests.functional.novadocker.live.conftest import LOOP


class LiveCloudTestCase(cloud.CloudTestCase):
    """A cloud whose host dumps and restores, with the image of a server that warms up."""

    @pytest.fixture(autouse=True)
    def _criu(self, criu):
        type(self).criu = criu

    def configure(self):
        super().configure()
        _settings, options = live_engine.prepare(self.dockerd, self.criu)
        self.flags(**options, group="docker")

    def setUp(self):
        super().setUp()
        command = {"os_command_line": f'sh -c "{LOOP}"'}
        self.warm = self.upload(self.archive, properties=command)

    def ask_to_bless(self, server):
        """Ask for a live image of a server; its id."""
        asked = {"createImage": {"name": "live", "metadata": {"live_image": "true"}}}
        return self.api.post_server_action(server["id"], asked)["image_id"]

    def bless(self, server):
        """A live image of a server; its id."""
        image = self.ask_to_bless(server)
        self.idle(server)
        self.assertEqual("active", self.glance.show(None, image)["status"])
        return image

    def images(self):
        """The ids of all images."""
        return {image["id"] for image in self.glance.detail(None)}

    def container(self, server):
        """The container of a server, as an operator sees it."""
        return self.engine().containers.get(f"nova-{server['id']}")

    def word(self, server):
        """What is in the memory of a server alone."""
        return self.answer(server)[0]

    def answer(self, server):
        """The word, the host name and the number that the server wrote last."""
        line = "until [ -s /tmp/answer ]; do sleep 0.1; done; cat /tmp/answer"
        return self.container(server).exec_run(["sh", "-c", line]).output.decode().split()
