# SPDX-License-Identifier: Apache-2.0
"""Regions and instances that came apart are brought together again, at start and by the audit."""

import fixtures
from nova import objects

from fpga_hooks.instance import guests
from fpga_hooks.instance.guests import Guest
from tests.functional.test_hooks import HooksTestCase
from tests.support.host import wait_until

OWNER = "99999999-9999-4999-8999-999999999999"


class Containers:
    """The guests of a host, each of an instance.

    :ivar instances: their uuids
    """

    def __init__(self, instances: list[str]) -> None:
        self.instances = instances

    def guests(self) -> list[Guest]:
        return [Guest(uuid, uuid, True, frozenset()) for uuid in self.instances]

    def stop(self, guest: Guest) -> None:
        self.instances.remove(guest.name)


class OneHost(HooksTestCase):
    """One host with two regions."""

    def restart(self):
        self.compute = self.restart_compute_service(self.compute, keep_hypervisor_state=False)

    def lose(self):
        """Have every region lose its configuration, as a power cycle does."""
        self.host.close()

    def healthy(self):
        return [r["healthy"] for r in self.host.status()["regions"] if r["owner"]]

    def test_orphan_is_erased_by_the_audit_and_its_region_offered_again(self):
        self.host.burn(self.image, "--owner", OWNER)
        self.audit()
        self.assertEqual({}, self.regions())
        self.assertIn("erased: Nova knows no instance of its owner's id", self.log())

    def test_orphan_is_erased_when_the_service_starts(self):
        self.host.burn(self.image, "--owner", OWNER)
        self.restart()
        self.assertEqual({}, self.regions())

    def test_orphan_with_a_guest_is_kept(self):
        guests.machine.register(Containers([OWNER]))
        self.host.burn(self.image, "--owner", OWNER)
        self.audit()
        self.assertEqual([OWNER], list(self.regions()))

    def test_audit_leaves_a_server_and_its_region_alone(self):
        server = self.boot(self.fpga_flavor(self.image))
        before = self.regions()
        self.audit()
        self.assertEqual((before, 1), (self.regions(), self.cloud.downloads))
        self.assertEqual(before[server["id"]]["id"], self.instance(server).fpga_device)

    def test_lost_configuration_is_burnt_again_before_the_guest_is_resumed(self):
        health = []
        self.flags(resume_guests_state_on_host_boot=True)
        self.boot(self.fpga_flavor(self.image))
        self.lose()
        self.useFixture(
            fixtures.MonkeyPatch(
                "tests.functional.recorder.RecordingDriver.resume_state_on_host_boot",
                lambda *arguments: health.append(self.healthy()),
            )
        )
        self.restart()
        self.assertEqual([[True]], health)

    def test_lost_configuration_of_a_stopped_server_is_burnt_again_by_the_audit(self):
        self._stop_server(self.boot(self.fpga_flavor(self.image)))
        self.lose()
        self.audit()
        self.assertEqual([True], self.healthy())

    def test_service_starts_though_a_lost_configuration_cannot_be_burnt_again(self):
        self.boot(self.fpga_flavor(self.image))
        self.lose()
        self.cloud.stop()
        self.restart()
        self.assertEqual([False], self.healthy())
        self.assertIn("cannot be burnt again", self.log())

    def test_column_is_repaired_from_the_ledger(self):
        server = self.boot(self.fpga_flavor(self.image))
        with self.in_cell() as context:
            instance = objects.Instance.get_by_uuid(context, server["id"])
            instance.fpga_device = "somebody else's"
            instance.save()
        self.audit()
        self.assertEqual(self.regions()[server["id"]]["id"], self.instance(server).fpga_device)

    def test_region_of_a_build_that_a_crash_interrupted_stays_with_its_server(self):
        server = self.boot(self.fpga_flavor(self.image))
        with self.in_cell() as context:
            instance = objects.Instance.get_by_uuid(context, server["id"])
            instance.vm_state, instance.task_state = "building", "spawning"
            instance.fpga_device = None
            instance.save()
        self.restart()
        self.assertEqual("ERROR", self.api.get_server(server["id"])["status"])
        self.assertEqual([server["id"]], list(self.regions()))
        self.api.delete_server(server["id"])
        wait_until(lambda: not self.regions())
