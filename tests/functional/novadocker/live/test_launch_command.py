# SPDX-License-Identifier: Apache-2.0
"""``openstack live image launch`` at Nova's own API, with servers that are restored."""

import json
import types

import openstack
from keystoneauth1 import noauth, session
from nova import objects
from openstack.image.v2 import image as sdk_image

from fpga_client.osc import live
from tests.functional.novadocker.live import live_cloud

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbofk83h/DK1jFR2bTYEjRJ+DCY0NGtdSkjUkWqtmg3 somebody"


class LaunchCommand(live_cloud.LiveCloudTestCase):
    """What the command asks Nova for, and what becomes of it."""

    def configure(self):
        super().configure()
        filters = ["ComputeFilter", "ServerGroupAffinityFilter"]
        self.flags(enabled_filters=filters, group="filter_scheduler")

    def connection(self):
        """The connection of the command: Nova as it is, and the Glance of these tests."""
        url = self.api_fixture.base_url
        headers = {
            "X-Auth-User": "admin",
            "X-Auth-Project-Id": self.api.project_id,
            "X-Roles": "reader,member,admin",
        }
        known = session.Session(noauth.NoAuth(), additional_headers=headers)
        cloud = openstack.connection.Connection(session=known, compute_endpoint_override=url)
        image = types.SimpleNamespace(find_image=self.find_image)
        return types.SimpleNamespace(compute=cloud.compute, image=image)

    def find_image(self, name, **_options):
        """An image as openstacksdk has it."""
        found = self.glance.show(None, name)
        known = {key: found[key] for key in ("id", "name", "container_format")}
        return sdk_image.Image(**known, properties=found["properties"])

    def launch(self, *words):
        """Run the command; the ids of the servers that it prints."""
        manager = types.SimpleNamespace(live=self.connection())
        command = live.LaunchLiveImage(types.SimpleNamespace(client_manager=manager), None)
        parsed = command.get_parser("launch").parse_args(words)
        return [row[0] for row in command.take_action(parsed)[1]]

    def drive(self, server, name):
        """A file of the config drive of a server."""
        command = ["cat", f"/run/openstack/openstack/latest/{name}"]
        return self.container(server).exec_run(command).output

    def test_servers_have_all_that_the_command_was_given(self):
        zone = {"aggregate": {"name": "one", "availability_zone": "zone1"}}
        self.api.add_host_to_aggregate(self.api.post_aggregate(zone)["id"], "host1")
        self.api.post_keypair({"keypair": {"name": "mine", "public_key": _KEY}})
        group = self.api.post_server_groups({"name": "ours", "policy": "affinity"})
        asked = self._build_server(
            flavor_id=self.plain_flavor(), image_uuid=self.warm, networks="none"
        )
        source = self.api.post_server({"server": {**asked, "config_drive": True}})
        source = self._wait_for_state_change(source, "ACTIVE")
        data = self.dockerd.live / "data"
        data.write_text("of the clone")
        options = {
            "count": "2",
            "key-name": "mine",
            "user-data": str(data),
            "availability-zone": "zone1",
            "server-group": "ours",
            "hint": "mood=good",
            "property": "asked=so",
            "security-group": "default",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        image = self.bless(source)
        ids = self.launch(image, "one", *words, "--use-config-drive", "--no-network")
        self.assertEqual(2, len(set(ids)))
        for number, clone in enumerate(ids, 1):
            clone = self._wait_for_state_change({"id": clone}, "ACTIVE")
            self.assertEqual((f"one-{number}", "mine"), (clone["name"], clone["key_name"]))
            self.assertEqual("zone1", clone["OS-EXT-AZ:availability_zone"])
            self.assertEqual([group["id"]], clone["server_groups"])
            self.assertEqual({"asked": "so"}, clone["metadata"])
            self.assertEqual(source["flavor"], clone["flavor"])
            self.assertEqual(image, clone["image"]["id"])
            spec = objects.RequestSpec.get_by_instance_uuid(self.admin_context(), clone["id"])
            self.assertEqual({"group": [group["id"]], "mood": ["good"]}, spec.scheduler_hints)
            self.assertEqual(["default"], [one.name for one in spec.security_groups])
            self.assertEqual(b"of the clone", self.drive(clone, "user_data"))
            described = json.loads(self.drive(clone, "meta_data.json"))
            self.assertEqual({"mine": _KEY}, described["public_keys"])
            self.assertEqual(self.word(source), self.word(clone))
