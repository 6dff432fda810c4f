# SPDX-License-Identifier: Apache-2.0
"""The hooks at work: a patched Nova, the real fpga-cli with its emulator, and an image service."""

import pathlib

import fixtures
import pytest
from nova import exception

from fpga_hooks import calls
from fpga_hooks.instance import devices, guests
from tests.functional import base, recorder
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack

EVENTS = recorder.EVENTS
UNKNOWN = "99999999-9999-4999-8999-999999999999"


class HooksTestCase(base.FunctionalTestCase):
    """A compute host with two emulated regions and the hooks on."""

    REGIONS = None
    ACCESS = True

    def configure(self):
        self.cloud = OpenStack()
        self.addCleanup(self.cloud.stop)
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.host = Host(folder, self.cloud.options())
        self.addCleanup(self.host.close)
        self.flags(compute_driver="tests.functional.recorder.RecordingDriver")
        self.flags(
            access=self.ACCESS,
            simulation_mode=True,
            exec=str(self.host.wrapper()),
            status_file=str(self.host.runtime / "status.json"),
            group="fpga",
        )
        # What rootwrap would be is not what is tested here; for root Nova uses none anyway.
        self.useFixture(fixtures.MonkeyPatch("nova.utils.get_root_helper", lambda: "env"))
        # Nor are the guests of a virt driver that another test has started.
        self.useFixture(
            fixtures.MonkeyPatch("fpga_hooks.instance.guests.machine", guests.Machine())
        )
        self.addCleanup(calls._hooks.cache_clear)
        calls._hooks.cache_clear()
        EVENTS.clear()
        EVENTS.fail.clear()
        self.image = self.cloud.add(bitstreams.package())

    def regions(self):
        """The regions by owner."""
        return {r["owner"]: r for r in self.host.status()["regions"] if r["owner"]}

    def log(self):
        """All that Nova has logged."""
        return self.stdlog.logger.output


class TwoRegions(HooksTestCase):
    """What becomes of regions when servers come and go."""

    def observe(self, name):
        """Note how many regions are in use when the driver is asked for something."""
        counts = []
        real = getattr(recorder.RecordingDriver, name)

        def call(driver, *arguments, **more):
            counts.append(self.host.status()["used"])
            return real(driver, *arguments, **more)

        self.useFixture(
            fixtures.MonkeyPatch(f"tests.functional.recorder.RecordingDriver.{name}", call)
        )
        return counts

    def test_region_is_burnt_before_the_spawn_and_erased_after_the_destroy(self):
        spawned, destroyed = self.observe("spawn"), self.observe("destroy")
        server = self.boot(self.fpga_flavor(self.image))
        self.assertEqual([server["id"]], list(self.regions()))
        self.delete(server)
        self.assertEqual(([1], [1], 0), (spawned, destroyed, self.host.status()["used"]))

    def test_devices_of_a_region_just_burnt_are_read_and_not_asked_for(self):
        found = []
        real = recorder.RecordingDriver.spawn

        def spawn(driver, context, instance, *arguments, **more):
            with fixtures.MonkeyPatch("fpga_hooks.program.client.status", None):
                found.extend(devices.for_instance(instance))
            return real(driver, context, instance, *arguments, **more)

        self.useFixture(
            fixtures.MonkeyPatch("tests.functional.recorder.RecordingDriver.spawn", spawn)
        )
        server = self.boot(self.fpga_flavor(self.image))
        (node,) = self.regions()[server["id"]]["nodes"]
        self.assertEqual([devices.Device(node["kind"], node["path"], node["name"])], found)

    def test_ledger_and_database_agree(self):
        server = self.boot(self.fpga_flavor(self.image))
        region = self.regions()[server["id"]]
        self.assertEqual(("programmed", self.image), (region["state"], region["image_id"]))
        self.assertEqual(region["id"], self.instance(server).fpga_device)
        node = self.compute_node()
        self.assertEqual((2, 1), (node.fpga_regions, node.fpga_regions_used))
        self.delete(server)
        self.assertIsNone(self.instance(server).fpga_device)

    def test_failed_spawn_erases_what_was_burnt(self):
        EVENTS.fail.add("spawn")
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        self.assertEqual((1, {}), (self.cloud.downloads, self.regions()))
        self.assertEqual(0, self.used())
        self.delete(server)

    def test_third_server_of_two_regions_finds_no_host(self):
        flavor = self.fpga_flavor(self.image)
        first = self.boot(flavor)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))
        self.assertIn("Filter FpgaFilter returned 0 hosts", self.log())
        self.delete(first)
        self.boot(flavor)
        self.assertEqual(2, len(self.regions()))

    def test_ordinary_server_never_reaches_fpga_cli(self):
        self.flags(exec="/nonexistent/fpga-cli.py", group="fpga")
        self.delete(self.boot(self.plain_flavor()))
        self.assertEqual({}, self.regions())

    def test_server_is_deleted_though_its_region_does_not_erase(self):
        server = self.boot(self.fpga_flavor(self.image))
        record = self.host.state / "emulator" / self.regions()[server["id"]]["id"]
        text = record.read_text()
        record.write_text("{")
        self.delete(server)
        self.assertIn("The FPGA region was not erased", self.log())
        self.audit()
        self.assertEqual(["free", "quarantined"], sorted(self.host.states()))
        self.assertEqual(1, self.compute_node().fpga_regions)
        record.write_text(text)  # for the end of the test, which ends what stands behind it

    def assert_refused(self, image, words):
        server = self.boot(self.fpga_flavor(image), state="ERROR")
        fault = self.fault(server)
        self.assertIn(f"cannot program `{image}' - ", fault)
        self.assertIn(words, fault)
        self.assertNotIn("spawn", EVENTS)
        self.assertEqual(({}, 0), (self.regions(), self.used()))

    def test_unknown_image_is_in_the_fault(self):
        self.assert_refused(UNKNOWN, "Glance has no such image")

    def test_wrong_container_format_is_in_the_fault(self):
        image = self.cloud.add(bitstreams.package(), container_format="docker")
        self.assert_refused(image, "its container format is docker, not fpga")

    def test_broken_zip_is_in_the_fault(self):
        self.assert_refused(self.cloud.add(bitstreams.package()[:-5]), "it is not a zip")

    def test_zip_without_manifest_is_in_the_fault(self):
        image = self.cloud.add(bitstreams.without_manifest())
        self.assert_refused(image, "it has no manifest.json at its top")

    def test_image_service_that_no_host_reaches_is_in_the_log(self):
        self.cloud.stop()
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        self.assertIn("Exhausted all hosts", self.fault(server))
        self.assertIn("cannot be reached: Connection refused", self.log())
        self.assertNotIn("spawn", EVENTS)
        self.assertEqual(({}, 0), (self.regions(), self.used()))

    def test_rebuilt_server_keeps_its_region_without_burning_it_again(self):
        server = self.boot(self.fpga_flavor(self.image))
        before = self.regions()
        self._rebuild_server(server, server["image"]["id"])
        self.assertEqual((before, 1), (self.regions(), self.cloud.downloads))


class NoFpga(HooksTestCase):
    """A compute host without FPGA access."""

    ACCESS = False

    def test_server_with_a_region_finds_no_host_and_the_log_names_the_filter(self):
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        self.assertIn("No valid host", self.fault(server))
        self.assertIn("Filter FpgaFilter returned 0 hosts", self.log())
        self.assertEqual(0, self.cloud.downloads)

    def test_ordinary_server_boots(self):
        self.boot(self.plain_flavor())


class Simulation(HooksTestCase):
    """Simulated regions where the operator did not ask for them."""

    def test_compute_service_does_not_start(self):
        self.flags(simulation_mode=False, group="fpga")
        with pytest.raises(exception.InvalidConfiguration, match="are simulated"):
            self.restart_compute_service(self.compute)
