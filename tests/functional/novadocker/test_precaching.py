# SPDX-License-Identifier: Apache-2.0
"""Images that an operator brings to the hosts of an aggregate before servers need them."""

import time

from tests.functional.novadocker import cloud


class Precaching(cloud.CloudTestCase):
    """Nova's image cache of an aggregate, with a real engine."""

    def in_engine(self, image):
        return bool(self.engine().images.list(name=f"fpga-nova/{image}"))

    def test_an_aggregate_gets_an_image(self):
        aggregate = self.api.post_aggregate(
            {"aggregate": {"name": "containers", "availability_zone": None}}
        )
        self.api.add_host_to_aggregate(aggregate["id"], "host1")
        body = {"cache": [{"id": self.image}]}
        self.api.api_post(f"/os-aggregates/{aggregate['id']}/images", body)
        end = time.monotonic() + 30
        while not self.in_engine(self.image):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def test_it_is_fetched_once(self):
        other = self.upload(self.archive, container_format="bare")
        with self.in_cell() as context:
            answers = [
                self.compute.manager.cache_images(context, [image])[image]
                for image in (self.image, self.image, other)
            ]
        self.assertEqual(["cached", "existing", "error"], answers)


class Volumes(cloud.CloudTestCase):
    """A server that is to boot from a volume."""

    def test_it_is_refused_with_the_reason(self):
        volume = {
            "source_type": "volume",
            "destination_type": "volume",
            "boot_index": 0,
            "uuid": self.cinder.IMAGE_BACKED_VOL,
        }
        server = {
            "name": "a server",
            "flavorRef": self.plain_flavor(),
            "networks": "none",
            "block_device_mapping_v2": [volume],
        }
        server = self.api.post_server({"server": server})
        server = self._wait_for_state_change(server, "ERROR")
        self.assertIn("containers have no volumes: boot from an image", self.fault(server))
        self.assertEqual({}, self.containers())
