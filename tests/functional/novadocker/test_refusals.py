# SPDX-License-Identifier: Apache-2.0
"""What containers do not have is refused, and the server stays as it was."""

import pytest
from nova.tests.functional.api import client

from tests.functional.novadocker import cloud


class RefusalsTouchNothing(cloud.CloudTestCase):
    """A server whose user asks for what is not served."""

    def setUp(self):
        super().setUp()
        self.server = self.start()
        self.images = {image["id"] for image in self.glance.detail(None)}
        self.started = self.container().attrs["State"]["StartedAt"]
        self.resources = self.allocated()

    def container(self):
        return self.engine().containers.get(f"nova-{self.server['id']}")

    def stays_as_it_was(self, reason):
        """The container was not stopped, no image came, and the reason is on record."""
        self.assertIn(reason, self.reason(self.server))
        record = self.idle(self.server)
        self.assertEqual("ACTIVE", record["status"])
        self.assertEqual("running", self.container().status)
        self.assertEqual(self.started, self.container().attrs["State"]["StartedAt"])
        self.assertEqual(self.images, {image["id"] for image in self.glance.detail(None)})

    def allocated(self):
        """What Placement has for the server."""
        found = self._get_allocations_by_server_uuid(self.server["id"])
        return {provider: allocation["resources"] for provider, allocation in found.items()}

    def keeps_its_resources(self):
        """Placement has what the server holds; at the end of a failed resize it gets it back."""
        self._wait_until(self.server, lambda _: self.allocated() == self.resources)

    def test_suspend(self):
        self.api.post_server_action(self.server["id"], {"suspend": {}})
        self.stays_as_it_was("The server was not suspended: its host has no live images")
        self.keeps_its_resources()

    def test_rescue(self):
        self.api.post_server_action(self.server["id"], {"rescue": {}})
        self.stays_as_it_was("Containers have no rescue")
        self.keeps_its_resources()

    def refused_by_the_api(self, path, body, reason):
        with pytest.raises(client.OpenStackApiException) as refused:
            self.api.api_post(f"/servers/{self.server['id']}/{path}", body)
        self.assertEqual(400, refused.value.response.status_code)
        self.assertIn(reason, refused.value.response.text)
        self.assertEqual("ACTIVE", self.api.get_server(self.server["id"])["status"])

    def test_a_volume(self):
        self.api.microversion = "2.100"  # which waits for the answer
        attachment = {"volumeAttachment": {"volumeId": self.cinder.IMAGE_BACKED_VOL}}
        self.refused_by_the_api("os-volume_attachments", attachment, "containers have no volumes")
        self.assertEqual([], self.api.get_server_volumes(self.server["id"]))

    def test_a_volume_of_which_the_api_does_not_wait_for_the_answer(self):
        attachment = {"volumeAttachment": {"volumeId": self.cinder.IMAGE_BACKED_VOL}}
        self.api.api_post(f"/servers/{self.server['id']}/os-volume_attachments", attachment)
        self.stays_as_it_was("containers have no volumes")
        self.assertEqual([], self.api.get_server_volumes(self.server["id"]))

    def test_a_rebuild_to_an_image_of_another_format(self):
        image = self.upload(self.archive, container_format="bare")
        self.images.add(image)
        self.api.post_server_action(self.server["id"], {"rebuild": {"imageRef": image}})
        self.stays_as_it_was("container format is bare, needs docker")
        self.keeps_its_resources()

    def test_a_rebuild_to_an_image_that_is_no_archive(self):
        image = self.upload(b"no archive" * 1000)
        self.images.add(image)
        self.api.post_server_action(self.server["id"], {"rebuild": {"imageRef": image}})
        self.stays_as_it_was("it is not a tar archive")
        self.keeps_its_resources()

    def test_a_rebuild_to_an_image_that_asks_for_what_it_cannot_have(self):
        image = self.upload(self.archive, properties={"docker_environment": "LD_PRELOAD"})
        self.images.add(image)
        self.api.post_server_action(self.server["id"], {"rebuild": {"imageRef": image}})
        self.stays_as_it_was("which no metadata may set")
        self.keeps_its_resources()
