# SPDX-License-Identifier: Apache-2.0
"""Programs of running servers, as fpga-api asks a host for them: patched Nova, real fpga-cli."""

import dataclasses
import json
import time
import uuid
import zlib

import fixtures
from nova import objects
from nova.compute import task_states
from nova.tests.fixtures import notifications  # noqa: F401 - Nova's fake notifier

from fpga_hooks.instance import owner_locks
from fpga_hooks.program import client, errors
from fpga_hooks.rpc import server as rpc_server
from fpga_hooks.service import programs as work
from fpga_nova import bitstream_images, programs
from tests.functional.test_hooks import HooksTestCase
from tests.support import bitstreams
from tests.support.host import talk

PROJECT = "6f70656e737461636b20342065766572"
OTHER = "99999999999949998999999999999999"


class ProgramsTestCase(HooksTestCase):
    """A host whose operator accepts the bitstreams of users' own projects."""

    def configure(self):
        super().configure()
        self.flags(program_bitstreams=["own"], group="fpga")
        bitstream_images.forget()
        self.crc = self.publish(bitstreams.package("crc32"))
        self.endpoint = rpc_server.Endpoint()

    def publish(self, package, owner=PROJECT):
        """Have both image services know a bitstream."""
        image_id = self.cloud.add(package)
        self.published = [*getattr(self, "published", []), (image_id, owner)]
        return image_id

    def setUp(self):
        super().setUp()
        for image_id, owner in self.published:
            self.tell_glance(image_id, owner)

    def tell_glance(self, image_id, owner=PROJECT):
        known = {"id": image_id, "name": "bitstream", "owner": owner, "properties": {}}
        self.glance.create(self.admin_context(), known)

    def order(self, server, bitstream=None, /, **changes):
        """What fpga-api asks for."""
        return {
            "id": str(uuid.uuid4()),
            "server": server["id"],
            "number": 1,
            "bitstream": bitstream or self.crc,
            "reboot": "never",
            "any_bitstream": False,
        } | changes

    def call(self, order, wait=5):
        """Ask the host, on behalf of a user."""
        context = {
            "user_id": "user",
            "project_id": PROJECT,
            "request_id": f"req-{uuid.uuid4()}",
            "auth_token": "token",
            "service_catalog": [],
        }
        return self.endpoint.program(context, order, wait)

    def program(self, server, bitstream=None, **changes):
        """Have a program run to its end."""
        order = self.order(server, bitstream, **changes)
        answer = self.call(order)
        self.assertIsNone(answer["refusal"])
        while answer["program"]["state"] == programs.RUNNING:
            answer = self.endpoint.program_status({}, server["id"], order["id"], wait=5)
        return answer["program"]

    def refusal(self, order):
        """Why nothing is done."""
        answer = self.call(order)
        self.assertIsNone(answer["program"])
        return answer["refusal"]["code"]

    def crc_of(self, server, data=b"hello"):
        (node,) = self.regions()[server["id"]]["nodes"]
        return talk(node["path"], data) == zlib.crc32(data).to_bytes(4, "big")


class Programs(ProgramsTestCase):
    """Two regions."""

    def test_running_server_gets_another_function_in_its_region(self):
        server = self.boot(self.fpga_flavor(self.image))
        before = self.regions()[server["id"]]
        ended = self.program(server)
        after = self.regions()[server["id"]]
        self.assertEqual(("done", None, False), (ended["state"], ended["code"], ended["restored"]))
        self.assertEqual((self.crc, self.image), (ended["bitstream"], ended["previous"]))
        self.assertFalse(ended["reboot_required"])
        self.assertEqual(before["id"], after["id"])
        self.assertEqual(after["id"], self.instance(server).fpga_device)
        self.assertTrue(self.crc_of(server))
        self.assertIsNone(self.instance(server).task_state)
        self.audit()
        self.assertEqual(self.crc, self.regions()[server["id"]]["image_id"])

    def test_users_see_it_among_the_actions_of_the_server(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.program(server)
        actions = self.api.get_instance_actions(server["id"])
        (action,) = [one for one in actions if one["action"] == "fpga_program"]
        self.assertEqual(("user", PROJECT), (action["user_id"], action["project_id"]))
        path = f"/servers/{server['id']}/os-instance-actions/{action['request_id']}"
        end = time.monotonic() + 30  # the end is put there when the answer is out
        while True:
            (event,) = self.api.api_get(path).body["instanceAction"]["events"]
            if event["result"] is not None or time.monotonic() > end:
                break
            time.sleep(0.1)
        self.assertEqual(("fpga_program", "Success"), (event["event"], event["result"]))

    def test_asking_again_changes_nothing(self):
        server = self.boot(self.fpga_flavor(self.image))
        order = self.order(server)
        self.call(order)
        work.running.wait(order["id"], 60)
        events = self.host.run("events", "--format", "json").stdout
        self.assertEqual("done", self.call(order)["program"]["state"])
        self.assertEqual(events, self.host.run("events", "--format", "json").stdout)

    def test_bitstream_that_fails_leaves_the_old_function_in_place(self):
        server = self.boot(self.fpga_flavor(self.crc))
        bad = self.publish(bitstreams.package("lzo1x_compress", b'{"part":"software","core":"x"}'))
        self.tell_glance(bad)
        region = self.regions()[server["id"]]["id"]
        ended = self.program(server, bad)
        self.assertEqual(("failed", True, 72), (ended["state"], ended["restored"], ended["code"]))
        self.assertIn("the previous bitstream is back in place", ended["fault"])
        self.assertEqual(region, self.regions()[server["id"]]["id"])
        self.assertTrue(self.crc_of(server))
        self.audit()
        self.assertEqual(self.crc, self.regions()[server["id"]]["image_id"])

    def test_bitstream_with_other_nodes_is_not_programmed_without_a_reboot(self):
        server = self.boot(self.fpga_flavor(self.image))
        exposes = [{"kind": "socket", "name": "/dev/other"}]
        other = self.publish(bitstreams.package("crc32", exposes=exposes))
        self.tell_glance(other)
        ended = self.program(server, other)
        self.assertEqual(("failed", 74, False), (ended["state"], ended["code"], ended["restored"]))
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])

    def test_server_is_rebooted_where_its_nodes_are_new_and_that_is_permitted(self):
        server = self.boot(self.fpga_flavor(self.image))
        exposes = [{"kind": "socket", "name": f"/dev/fpga{n}"} for n in range(2)]
        other = self.publish(bitstreams.package("crc32", exposes=exposes))
        self.tell_glance(other)
        order = self.order(server, other, reboot="if_needed")
        self.call(order)
        work.running.wait(order["id"], 60)
        self._wait_until(server, lambda one: one["OS-EXT-STS:task_state"] is None)
        actions = [one["action"] for one in self.api.get_instance_actions(server["id"])]
        self.assertEqual(["reboot", "fpga_program"], actions[:2])
        self.assertEqual(2, len(self.regions()[server["id"]]["nodes"]))
        ended = self.endpoint.program_status({}, server["id"], order["id"])["program"]
        self.assertEqual(("done", False), (ended["state"], ended["reboot_required"]))

    def test_rebuilt_server_has_its_flavors_function_again(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.program(server)
        self._rebuild_server(server, "155d900f-4e14-4e4c-a73d-069cbf4541e6")
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])

    def test_lost_region_gets_the_programmed_function_again(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.program(server)
        self.lose(server)
        self.audit()
        self.assertEqual(self.crc, self.regions()[server["id"]]["image_id"])
        self.assertTrue(self.crc_of(server))

    def lose(self, server):
        """Have a region lose what it holds."""
        region = self.regions()[server["id"]]
        servers = {p.name: p for p in (self.host.state / "emulator").iterdir()}
        pid = json.loads(servers[region["id"]].read_text())["pid"]
        import os
        import signal

        os.kill(pid, signal.SIGKILL)


class Refusals(ProgramsTestCase):
    """What is not begun."""

    def test_what_is_malformed_is_refused(self):
        server = {"id": str(uuid.uuid4())}
        for change in (
            {"id": "x"},
            {"server": None},
            {"number": 7},
            {"number": True},
            {"bitstream": "../x"},
            {"reboot": "always"},
        ):
            self.assertEqual("invalid", self.refusal(self.order(server, **change)))
        self.assertEqual("invalid", self.call([])["refusal"]["code"])

    def test_server_that_is_not_here_is_refused(self):
        order = self.order({"id": str(uuid.uuid4())})
        self.assertEqual("not_here", self.refusal(order))
        answer = self.endpoint.program_status({}, order["server"], order["id"])
        self.assertEqual("not_here", answer["refusal"]["code"])

    def test_bitstream_that_is_not_accepted_is_refused(self):
        server = self.boot(self.fpga_flavor(self.image))
        foreign = self.cloud.add(bitstreams.package("crc32"))
        self.tell_glance(foreign, OTHER)
        order = self.order(server, foreign)
        self.assertEqual("bitstream", self.refusal(order))
        unknown = self.order(server, str(uuid.uuid4()), any_bitstream=True)
        self.assertEqual("no_bitstream", self.refusal(unknown))
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])
        self.assertEqual("done", self.program(server, foreign, any_bitstream=True)["state"])

    def test_region_that_the_server_does_not_have_is_refused(self):
        plain = self.boot(self.plain_flavor())
        self.assertEqual("region", self.refusal(self.order(plain)))
        server = self.boot(self.fpga_flavor(self.image))
        self.assertEqual("region", self.refusal(self.order(server, number=2)))

    def test_server_with_a_task_is_refused(self):
        server = self.boot(self.fpga_flavor(self.image))
        with self.in_cell() as context:
            instance = objects.Instance.get_by_uuid(context, server["id"])
            instance.task_state = task_states.REBOOTING
            instance.save()
            self.assertEqual("task", self.refusal(self.order(server)))
            instance.task_state = None
            instance.save()
        with owner_locks.held(server["id"]):
            self.assertEqual("task", self.refusal(self.order(server)))
        self.assertEqual("done", self.program(server)["state"])

    def test_nova_and_a_second_program_are_refused_while_one_runs(self):
        server = self.boot(self.fpga_flavor(self.image))
        order = self.order(server)
        codes = []
        real = client.replace

        def replace(*arguments):
            codes.append(self.refusal(self.order(server)))
            body = {"reboot": {"type": "HARD"}}
            answer = self.api.api_post(
                f"/servers/{server['id']}/action", body, check_response_status=[409]
            )
            codes.append(answer.status)
            return real(*arguments)

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.program.client.replace", replace))
        self.call(order)
        work.running.wait(order["id"], 60)
        self.assertEqual(["program", 409], codes)
        self.assertTrue(self.crc_of(server))

    def test_deleted_server_waits_for_its_program_and_leaves_no_region(self):
        server = self.boot(self.fpga_flavor(self.image))
        order = self.order(server)
        real = client.replace

        def replace(*arguments):
            self.api.delete_server(server["id"])
            return real(*arguments)

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.program.client.replace", replace))
        self.call(order)
        work.running.wait(order["id"], 60)
        self._wait_until_deleted(server)
        self.assertEqual({}, self.regions())


class Interruptions(ProgramsTestCase):
    """A nova-compute that dies while it programs."""

    def interrupt(self, server, before):
        """Die before or after the region is programmed; the id of the program."""
        order = self.order(server)
        real = client.replace

        class DeadError(Exception):
            pass

        def replace(*arguments):
            if not before:
                real(*arguments)
            raise DeadError

        patch = fixtures.MonkeyPatch("fpga_hooks.program.client.replace", replace)
        with patch:
            self.call(order)
            work.running.wait(order["id"], 60)
        self.assertEqual(programs.TASK, self.instance(server).task_state)
        return order["id"]

    def ended(self, server, program_id):
        self.audit()
        answer = self.endpoint.program_status({}, server["id"], program_id)
        self.assertIsNone(self.instance(server).task_state)
        return answer["program"]

    def test_what_was_not_programmed_has_failed(self):
        server = self.boot(self.fpga_flavor(self.image))
        ended = self.ended(server, self.interrupt(server, before=True))
        self.assertEqual(("failed", None), (ended["state"], ended["code"]))
        self.assertEqual(self.image, self.regions()[server["id"]]["image_id"])
        self.assertEqual("done", self.program(server)["state"])

    def test_what_was_programmed_is_done_and_granted(self):
        server = self.boot(self.fpga_flavor(self.image))
        ended = self.ended(server, self.interrupt(server, before=False))
        self.assertEqual("done", ended["state"])
        self.audit()
        self.assertEqual(self.crc, self.regions()[server["id"]]["image_id"])
        metadata = self.instance(server).system_metadata
        self.assertEqual(f"program {self.crc}", metadata["fpga_grant_1"])

    def test_program_that_fpga_cli_fails_is_on_record(self):
        server = self.boot(self.fpga_flavor(self.image))

        def replace(*_arguments):
            raise errors.CliError(70, "timed out (fpga-cli.py exit 70)")

        with fixtures.MonkeyPatch("fpga_hooks.program.client.replace", replace):
            ended = self.program(server)
        record = programs.read(self.instance(server).system_metadata)
        self.assertEqual(ended, dataclasses.replace(record).document(server["id"]))
        self.assertEqual(("failed", 70), (ended["state"], ended["code"]))
