# SPDX-License-Identifier: Apache-2.0
"""Servers of a patched Nova with a config drive, whose containers read it."""

import base64
import json
import os
import pathlib

import nova.conf

from tests.functional.novadocker import cloud

CONF = nova.conf.CONF

#: As long as Nova's API takes it: 65,535 characters of base 64.
_USER_DATA = os.urandom(49_149)
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbofk83h/DK1jFR2bTYEjRJ+DCY0NGtdSkjUkWqtmg3 somebody"
_METADATA = {
    "--privileged": "true",
    ".. etc:passwd": "../../etc/passwd,x\n--cap-add=ALL",
    "docker_mounts": "/",
}


class ConfigDrives(cloud.CloudTestCase):
    """What is in the files, and when they are there."""

    def setUp(self):
        super().setUp()
        self.flavor = self.plain_flavor()

    def boot(self, state="ACTIVE", image=None, **request):
        server = {
            "name": "a server",
            "imageRef": image or self.image,
            "flavorRef": self.flavor,
            "networks": "none",
            **request,
        }
        server = self.api.post_server({"server": server})
        return self._wait_for_state_change(server, state)

    def run_in(self, server, *command):
        container = self.engine().containers.get(f"nova-{server['id']}")
        done = container.exec_run(list(command))
        return done.exit_code, done.output

    def read(self, server, path):
        code, content = self.run_in(server, "cat", f"/run/openstack/{path}")
        self.assertEqual(0, code, content)
        return content

    def metadata(self, server):
        return json.loads(self.read(server, "openstack/latest/meta_data.json"))["meta"]

    def folder(self, server):
        return pathlib.Path(CONF.instances_path, server["id"])

    def test_a_container_reads_what_its_user_gave(self):
        self.api.post_keypair({"keypair": {"name": "mine", "public_key": _KEY}})
        user_data = base64.b64encode(_USER_DATA).decode()
        server = self.boot(
            config_drive=True, user_data=user_data, metadata=_METADATA, key_name="mine"
        )
        meta = json.loads(self.read(server, "openstack/latest/meta_data.json"))
        self.assertEqual((server["id"], _METADATA), (meta["uuid"], meta["meta"]))
        self.assertEqual({"mine": _KEY}, meta["public_keys"])
        self.assertEqual(_USER_DATA, self.read(server, "openstack/latest/user_data"))
        self.assertEqual(_USER_DATA, self.read(server, "ec2/latest/user-data"))
        for name in ("network_data", "vendor_data", "vendor_data2"):
            json.loads(self.read(server, f"openstack/latest/{name}.json"))

    def test_a_container_reads_it_as_any_user_and_changes_nothing(self):
        server = self.boot(config_drive=True)
        container = self.engine().containers.get(f"nova-{server['id']}")
        line = "cat /run/openstack/openstack/latest/meta_data.json"
        self.assertEqual(0, container.exec_run(line, user="65534").exit_code)
        for line in (
            "echo x > /run/openstack/openstack/latest/meta_data.json",
            "touch /run/openstack/new",
            "chmod 0777 /run/openstack",
            "rm -r /run/openstack/ec2",
            "mount -o remount,rw,bind /run/openstack",
            "umount /run/openstack",
        ):
            self.assertNotEqual(0, self.run_in(server, "sh", "-c", line)[0], line)
        self.read(server, "ec2/latest/meta-data.json")

    def test_a_root_that_cannot_be_written_has_one_too(self):
        image = self.upload(self.archive, properties={"docker_read_only": "true"})
        server = self.boot(image=image, config_drive=True, metadata={"state": "first"})
        self.assertEqual({"state": "first"}, self.metadata(server))
        self.assertEqual(0, self.run_in(server, "touch", "/run/new")[0])
        for path in ("/run/openstack/new", "/new"):
            self.assertNotEqual(0, self.run_in(server, "touch", path)[0], path)
        self._stop_server(server)
        self._start_server(server)
        self.assertEqual({"state": "first"}, self.metadata(server))

    def test_a_server_that_asks_for_none_has_none(self):
        server = self.boot(user_data=base64.b64encode(b"x").decode())
        self.assertNotEqual(0, self.run_in(server, "ls", "/run/openstack")[0])
        self.assertFalse(self.folder(server).exists())

    def test_the_host_or_the_image_asks_for_one(self):
        image = self.upload(self.archive, properties={"img_config_drive": "mandatory"})
        self.metadata_of_no_user(self.boot(image=image))
        self.flags(force_config_drive=True)
        server = self.boot()
        self.metadata_of_no_user(server)
        self._reboot_server(server, hard=True)
        self.metadata_of_no_user(server)

    def metadata_of_no_user(self, server):
        meta = json.loads(self.read(server, "openstack/latest/meta_data.json"))
        self.assertEqual(server["id"], meta["uuid"])

    def test_a_start_and_a_hard_reboot_renew_it(self):
        server = self.boot(config_drive=True, metadata={"state": "first"})
        self.set_metadata(server, "second")
        self._reboot_server(server)
        self.assertEqual({"state": "first"}, self.metadata(server))
        self._reboot_server(server, hard=True)
        self.assertEqual({"state": "second"}, self.metadata(server))
        self._stop_server(server)
        self.set_metadata(server, "third")
        self._start_server(server)
        self.assertEqual({"state": "third"}, self.metadata(server))

    def set_metadata(self, server, value):
        self.api.api_put(f"/servers/{server['id']}/metadata", {"metadata": {"state": value}})

    def test_what_an_operator_removed_is_made_anew(self):
        server = self.boot(config_drive=True, metadata={"state": "first"})
        for path in sorted(self.folder(server).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self._reboot_server(server, hard=True)
        self.assertEqual({"state": "first"}, self.metadata(server))
        self.remove_container(server)
        self._reboot_server(server, hard=True)
        self.assertEqual({"state": "first"}, self.metadata(server))

    def test_a_rebuild_makes_it_anew_and_a_delete_removes_it(self):
        server = self.boot(config_drive=True, metadata={"state": "first"})
        self._rebuild_server(server, self.upload(self.archive))
        self.assertEqual({"state": "first"}, self.metadata(server))
        self.delete(server)
        self.assertFalse(self.folder(server).exists())

    def test_nothing_is_left_of_a_server_that_cannot_be_built(self):
        self.api.post_keypair({"keypair": {"name": "mine", "public_key": _KEY}})
        wanted = {"docker_authorized_keys": "/no/such/folder"}
        image = self.upload(self.archive, properties=wanted)
        server = self.boot("ERROR", image, config_drive=True, key_name="mine")
        self.assertIn("docker_authorized_keys needs a folder /no", self.fault(server))
        self.assertEqual({}, self.containers())
        self.assertEqual([], list(self.folder(server).glob("config-drive")))
        self.delete(server)

    def test_what_a_dead_host_left_of_a_deleted_server_is_removed(self):
        server = self.boot(config_drive=True)
        self.compute.stop()
        self.remove_container(server)
        self.admin_api.put_service_force_down(self.compute.service_ref.uuid, True)
        self.api.delete_server(server["id"])
        self.wait_until_gone(server)
        self.assertTrue(self.folder(server).exists())
        self.flags(running_deleted_instance_timeout=0)
        self.compute.start()
        with self.in_cell() as context:
            self.compute.manager._cleanup_running_deleted_instances(context)
        self.assertFalse(self.folder(server).exists())

    def test_a_strange_name_is_a_name(self):
        for name in ("../../a/b", "\u4e16" * 255, "--privileged", "a:b,c=d"):
            server = self.boot(config_drive=True, name=name)
            meta = json.loads(self.read(server, "openstack/latest/meta_data.json"))
            self.assertEqual(name, meta["name"])
            self.delete(server)
        self.assertEqual({}, self.containers())

    def test_injected_files_are_refused(self):
        self.api.microversion = "2.56"
        personality = [{"path": "/etc/motd", "contents": base64.b64encode(b"x").decode()}]
        server = self.boot("ERROR", config_drive=True, personality=personality)
        self.assertIn("files cannot be injected", self.fault(server))
        self.assertEqual({}, self.containers())
