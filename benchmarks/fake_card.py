# SPDX-License-Identifier: Apache-2.0
"""The regions of fpga-cli's fake driver on the host of a demo cloud, and bitstreams for them."""

import configparser
import contextlib
import io
import statistics
import time
import uuid

from cloud import Cloud

from fpga_regions.command import client
from tests.support import bitstreams
from tests.support.host import wait_until

#: Any part of a host's processors and disk: what is asked of it is regions.
_ROOM = {"resources:VCPU": "0", "resources:DISK_GB": "0"}


class FakeCard:
    """As many regions of the fake driver and of the emulator as are asked for.

    :param regions: of each
    :param prefix: of the names of images and flavors
    :param cleanup: takes all of it away
    """

    def __init__(
        self, cloud: Cloud, regions: int, prefix: str, cleanup: contextlib.ExitStack
    ) -> None:
        self._cloud, self._regions, self._prefix = cloud, regions, prefix
        self._config = cloud.folder / "etc" / "fpga" / "fpga-cli.conf"
        self._before = self._config.read_text()
        self._cleanup = cleanup
        cleanup.callback(self._restore)
        self.program_for(0)
        self._restart()

    def program_for(self, seconds: float) -> None:
        """Have the fake driver take so long to program a region from now on."""
        configuration = configparser.RawConfigParser(strict=False)
        configuration.read_string(self._before)
        options = {
            "DEFAULT": {"drivers": "emulator, fake"},
            "emulator": {"regions": str(self._regions)},
            "fake": {"regions": str(self._regions), "program_delay": str(seconds)},
        }
        configuration.read_dict(options)
        text = io.StringIO()
        configuration.write(text)
        self._write(text.getvalue())
        # The region manager starts anew once it is asked for something.
        wait_until(self._served, 60)

    def image(self) -> str:
        """A new bitstream for it, unlike all others; the image's id."""
        package = bitstreams.package(
            target={"board": "fake", "part": "fake"},
            exposes=[{"kind": "socket", "name": "/dev/fpga0"}],
            content=uuid.uuid4().bytes,
        )
        images = self._cloud.api.image
        image = images.create_image(
            f"{self._prefix}-bitstream",
            data=package,
            container_format="fpga",
            disk_format="raw",
            tags=["FPGA"],
            visibility="public",  # fpga-cli has a project of its own
            validate_checksum=True,
        )
        self._cleanup.callback(images.delete_image, image.id)
        return str(image.id)

    def flavor(self, image: str | None) -> str:
        """A new flavor's name.

        :param image: the bitstream of its region; None for a flavor without one
        """
        compute = self._cloud.api.compute
        name = f"{self._prefix}-{uuid.uuid4().hex[:8]}"
        flavor = compute.create_flavor(name=name, ram=64, vcpus=1, disk=1)
        self._cleanup.callback(compute.delete_flavor, flavor.id)
        extra_specs = _ROOM | ({"hw:fpga_ip_id": image} if image else {})
        compute.create_flavor_extra_specs(flavor, extra_specs)
        return name

    def burn_seconds(self, image: str, times: int = 3) -> float:
        """The median of burns of an image by fpga-cli; the regions are free again."""
        durations = []
        for _ in range(times + 1):
            owner = str(uuid.uuid4())
            start = time.monotonic()
            self._cloud.run("fpga-cli.py", "burn", image, "--owner", owner)
            durations.append(time.monotonic() - start)
            self._cloud.run("fpga-cli.py", "erase", "--owner", owner)
        return statistics.median(durations[1:])

    def _write(self, configuration: str) -> None:
        """Change the configuration in one step: the region manager reads it at any time."""
        new = self._config.with_suffix(".new")
        new.touch(mode=0o600)  # it has a password
        new.write_text(configuration)
        new.replace(self._config)

    def _served(self) -> bool:
        try:
            with client._connected(str(self._cloud.folder / "run" / "fpga")):
                return True
        except OSError:
            time.sleep(0.2)
            return False

    def _restart(self) -> None:
        """Have nova-compute report the regions that there are now."""
        self._cloud.stop("nova-compute")
        self._cloud.start("nova-compute")

    def _restore(self) -> None:
        self._write(self._before)
        self._cloud.status()
        self._restart()
