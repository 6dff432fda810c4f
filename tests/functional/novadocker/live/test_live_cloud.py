# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova become live images, and others are launched from these."""

import base64
import json
import threading

import pytest
from nova.tests.functional.api import client

from tests.functional.novadocker.live import live_cloud
from tests.support.host import wait_until

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbofk83h/DK1jFR2bTYEjRJ+DCY0NGtdSkjUkWqtmg3 somebody"
_OTHERS = "0d2e5f0c3c1e4a399f1d5f7c6f5e9a01"


class LiveImages(live_cloud.LiveCloudTestCase):
    """What users ask Nova's API for."""

    def setUp(self):
        super().setUp()
        self.flavor = self.plain_flavor()

    def asked(self, image, **more):
        """What a user asks for who launches a server."""
        return {
            "name": "warm",
            "imageRef": image,
            "flavorRef": self.flavor,
            "networks": "none",
            **more,
        }

    def launch(self, image, state="ACTIVE", **more):
        """Launch a server, and wait until it is in a state."""
        server = self.api.post_server({"server": self.asked(image, **more)})
        return self._wait_for_state_change(server, state)

    def refusal(self, **asked):
        """What Nova's API answers to somebody who asks for a server that it refuses."""
        with pytest.raises(client.OpenStackApiException) as refused:
            self.api.post_server({"server": asked})
        return refused.value.response.status_code, refused.value.response.text

    def test_several_servers_have_the_memory_and_what_their_user_asks_for(self):
        self.api.post_keypair({"keypair": {"name": "mine", "public_key": _KEY}})
        zone = {"aggregate": {"name": "one", "availability_zone": "zone1"}}
        aggregate = self.api.post_aggregate(zone)
        self.api.add_host_to_aggregate(aggregate["id"], "host1")
        data = {one: base64.b64encode(one.encode()).decode() for one in ("source", "clone")}
        source = self.launch(self.warm, user_data=data["source"], config_drive=True)
        self.launch(
            self.bless(source),
            name="one",
            min_count=2,
            max_count=2,
            key_name="mine",
            user_data=data["clone"],
            metadata={"asked": "so"},
            availability_zone="zone1",
            config_drive=True,
        )
        clones = [one for one in self.api.get_servers() if one["id"] != source["id"]]
        self.assertEqual({"one-1", "one-2"}, {clone["name"] for clone in clones})
        word = self.word(source)
        for clone in clones:
            clone = self._wait_for_state_change(clone, "ACTIVE")
            self.assertEqual([word, clone["name"]], self.answer_of_itself(clone)[:2])
            self.assertEqual("mine", clone["key_name"])
            self.assertEqual("zone1", clone["OS-EXT-AZ:availability_zone"])
            self.assertEqual(b"clone", self.drive(clone, "user_data"))
            described = json.loads(self.drive(clone, "meta_data.json"))
            self.assertEqual({"asked": "so"}, described["meta"])
            self.assertEqual({"mine": _KEY}, described["public_keys"])
        self.assertEqual(b"source", self.drive(source, "user_data"))

    def answer_of_itself(self, clone):
        """What a clone answers after the launch, not what its source wrote."""
        self.container(clone).exec_run(["rm", "/tmp/answer"])
        return self.answer(clone)

    def drive(self, server, name):
        """A file of the config drive of a server."""
        command = ["cat", f"/run/openstack/openstack/latest/{name}"]
        return self.container(server).exec_run(command).output

    def test_a_server_is_blessed_twice_but_not_at_once(self):
        source = self.launch(self.warm)
        driver, refused_once = self.compute.manager.driver, threading.Event()
        snapshot = driver.snapshot

        def snapshot_later(*arguments):
            refused_once.wait(60)
            snapshot(*arguments)

        driver.snapshot = snapshot_later
        first = self.ask_to_bless(source)
        with pytest.raises(client.OpenStackApiException) as refused:
            self.ask_to_bless(source)
        refused_once.set()
        self.assertEqual(409, refused.value.response.status_code)
        self.idle(source)
        images = [first, self.bless(source)]
        words = {self.word(self.launch(image)) for image in images}
        self.assertEqual({self.word(source)}, words)

    def test_a_server_that_does_not_run_is_not_blessed(self):
        source = self.launch(self.warm)
        self.api.post_server_action(source["id"], {"pause": None})
        self._wait_for_state_change(source, "PAUSED")
        known = self.images()
        self.ask_to_bless(source)
        self.assertIn("only a server that runs has a live image", self.reason(source))
        self.assertEqual("PAUSED", self.idle(source)["status"])
        self.assertEqual(known, self.images())

    def test_no_other_project_launches_it(self):
        image = self.bless(self.launch(self.warm))
        self.api = client.TestOpenStackClient(
            "admin",
            self.api_fixture.base_url,
            project_id=_OTHERS,
            roles=["reader", "member", "admin"],
        )
        self.api.microversion = self.microversion
        clone = self.launch(image, "ERROR")
        self.assertIn("the live image is of another project", self.fault(clone))
        self.assertNotIn(f"nova-{clone['id']}", self.containers())

    def test_a_launch_is_within_quota_and_needs_memory(self):
        image = self.bless(self.launch(self.warm))
        small = self._create_flavor(
            name="small", memory_mb=32, vcpu=1, disk=1, ephemeral=0, extra_spec={}
        )
        status, text = self.refusal(**self.asked(image, flavorRef=small))
        self.assertEqual(400, status)
        self.assertIn("memory is too small", text)
        self.flags(instances=1, group="quota")
        status, text = self.refusal(**self.asked(image))
        self.assertEqual(403, status)
        self.assertIn("Quota exceeded for instances", text)

    def test_no_host_is_valid_that_has_no_live_images(self):
        source = self.launch(self.warm)
        image = self.bless(source)
        self.compute.manager.driver.live.refusal = "not today"
        self._run_periodics()
        clone = self.launch(image, "ERROR")
        self.assertIn("No valid host was found", self.fault(clone))
        # An ordinary server needs no such host.
        self.launch(self.warm)

    def test_clones_outlive_image_and_source(self):
        source = self.launch(self.warm)
        image = self.bless(source)
        clone = self.launch(image)
        word = self.word(source)
        self.glance.delete(None, image)
        self.delete(source)
        self._reboot_server(clone, hard=False)
        wait_until(lambda: self.answer_of_itself(clone)[0] != word)
