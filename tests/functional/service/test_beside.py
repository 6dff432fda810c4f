# SPDX-License-Identifier: Apache-2.0
"""A burn beside the rest of a build, where the virt driver waits for it: the longer one counts."""

import threading

import fixtures

from fpga_hooks.instance import background, devices
from tests.functional import recorder
from tests.functional.test_hooks import UNKNOWN, HooksTestCase

#: Burns wait for a file; all else goes through.
_GATE = """#!/bin/sh
while [ "$1" = burn ] && [ ! -e {gate} ]; do sleep 0.05; done
exec {exec} "$@"
"""


class Beside(HooksTestCase):
    """A compute host whose burns end only once the test lets them."""

    def configure(self):
        super().configure()
        self.gate = self.host.folder / "gate"
        program = self.host.folder / "gated"
        program.write_text(_GATE.format(gate=self.gate, exec=self.host.wrapper()))
        program.chmod(0o755)
        self.flags(exec=str(program), group="fpga")
        burns = background.Burns()
        burns.awaited_by_driver = True
        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.instance.background.burns", burns))
        self.useFixture(
            fixtures.MonkeyPatch("tests.functional.recorder.RecordingDriver.spawn", self.spawn())
        )
        self.addCleanup(self.gate.touch)
        #: What the driver had in hand when it began to wait for the region.
        self.ports = []

    def spawn(self):
        """As the Docker driver does it: all that needs no region first."""
        real = recorder.RecordingDriver.spawn

        def spawn(driver, context, instance, *arguments, network_info=None, **more):
            self.ports.append([vif["id"] for vif in network_info or ()])
            self.open()
            devices.for_instance(instance)
            return real(driver, context, instance, *arguments, network_info=network_info, **more)

        return spawn

    def open(self):
        """Let burns end."""
        self.gate.touch()

    def test_the_network_is_there_before_the_burn_has_to_be(self):
        server = self._create_server(
            flavor_id=self.fpga_flavor(self.image),
            networks=[{"uuid": self.neutron.network_1["id"]}],
        )
        (region,) = self.regions().values()
        self.assertEqual(server["id"], region["owner"])
        self.assertEqual([1], [len(ports) for ports in self.ports])

    def test_nova_saves_the_region_with_the_end_of_the_build(self):
        server = self.boot(self.fpga_flavor(self.image))
        region = self.regions()[server["id"]]
        self.assertEqual(region["id"], self.instance(server).fpga_device)
        self.delete(server)
        self.assertEqual(({}, None), (self.regions(), self.instance(server).fpga_device))

    def test_a_burn_that_fails_beside_the_build_fails_it(self):
        server = self.boot(self.fpga_flavor(UNKNOWN), state="ERROR")
        self.assertIn("Glance has no such image", self.fault(server))
        self.assertEqual((1, {}, 0), (len(self.ports), self.regions(), self.used()))
        self.assertNotIn("spawn", recorder.EVENTS)

    def test_a_build_that_fails_beside_a_burn_undoes_it(self):
        # The burn goes on while the build is cleaned up, which waits for it.
        later = threading.Timer(1, self.gate.touch)
        self.open = later.start
        failing = fixtures.MonkeyPatch(
            "fpga_hooks.instance.devices.for_instance", _fail_as_an_image_does
        )
        self.useFixture(failing)
        server = self.boot(self.fpga_flavor(self.image), state="ERROR")
        later.join()
        self.assertEqual((1, {}, 0), (self.cloud.downloads, self.regions(), self.used()))
        self.delete(server)


def _fail_as_an_image_does(instance):
    from nova import exception

    raise exception.InstanceDeployFailure(reason="the image cannot be loaded")
