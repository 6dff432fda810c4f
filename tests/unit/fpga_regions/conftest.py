# SPDX-License-Identifier: Apache-2.0
"""Hosts with regions: one in this process with a table for hardware, one of real processes."""

import io
import typing
import uuid
from pathlib import Path

import pytest
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.command import options as configuration
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import bitstreams
from fpga_regions.manager.dry_run import Choice
from fpga_regions.manager.manager import Manager
from fpga_regions.model import Claim, Region, Slot
from fpga_regions.package import reader
from tests.support import bitstreams as packages
from tests.support.host import Host
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.hardware import Hardware, slot

LZO, CRC = "dd834aa4-f950-40e6-8c23-9dab7f3f0138", "0b6b5df5-30b5-4b8c-9f0e-b29f7c7e0c11"


def owner(number: int = 0) -> str:
    """An instance's uuid."""
    return str(uuid.UUID(int=number + 1))


def unpack(data: bytes, conf: cfg.ConfigOpts) -> reader.Package:
    """Read a package within the limits of a configuration."""
    return reader.read(io.BytesIO(data), reader.Limits.of(conf))


class Rig:
    """A manager with its ledger, hardware and images."""

    def __init__(self, folder: Path, slots: typing.Sequence[Slot], options: str = "") -> None:
        folder.mkdir(exist_ok=True)
        file = folder / "fpga-cli.conf"
        file.write_text("[DEFAULT]\nlock_timeout = 1\nprogram_retry_pause = 0\n" + options)
        self.conf = configuration.load(str(file))
        self.ledger = Ledger(folder / "state", 5)
        self.hardware = Hardware(slots)
        self.fetched: list[str] = []
        self.images = {LZO: packages.package(), CRC: packages.package("crc32")}
        self.manager = Manager(self.conf, self.ledger, {"hardware": self.hardware})

    def burn(
        self,
        image_id: str,
        owner: str | None = None,
        device: str | None = None,
        number: int = 1,
    ) -> str:
        """Burn an image; the region's id."""
        return self.manager.burn(self.image(image_id), Claim(owner, device, number))

    def burn_package(self, package: reader.Package, owner: str) -> str:
        """Burn a package from a file; the region's id."""
        return self.manager.burn(bitstreams.File(package), Claim(owner))

    def plan(
        self,
        image_id: str,
        owner: str | None = None,
        device: str | None = None,
        number: int = 1,
    ) -> tuple[list[Choice], errors.RegionError | None]:
        """What burning an image would make of each region, and what it would fail with."""
        return self.manager.plan(self.image(image_id), Claim(owner, device, number))

    def image(self, image_id: str) -> bitstreams.Image:
        """An image of this rig's Glance."""
        return bitstreams.Image(image_id, self.fetch)

    def fetch(self, image_id: str) -> reader.Package:
        self.fetched.append(image_id)
        if image_id not in self.images:
            raise errors.ImageUnavailable("no such image")
        return unpack(self.images[image_id], self.conf)

    def region(self, region_id: str) -> Region:
        """What the ledger says of a region that it must know."""
        found = self.ledger.region(region_id)
        assert found is not None
        return found

    def states(self) -> list[str]:
        """The regions' states."""
        return [str(region.state) for region in self.ledger.regions()]


@pytest.fixture
def conf(tmp_path: Path) -> cfg.ConfigOpts:
    """The configuration as it is by default."""
    file = tmp_path / "default.conf"
    file.write_text("")
    return configuration.load(str(file))


@pytest.fixture
def rig(tmp_path: Path) -> typing.Iterator[Rig]:
    """A card with two regions."""
    rig = Rig(tmp_path / "rig", [slot(0), slot(1)])
    yield rig
    rig.ledger.close()


@pytest.fixture
def cloud() -> typing.Iterator[OpenStack]:
    """Keystone and Glance on loopback."""
    with OpenStack() as cloud:
        yield cloud


@pytest.fixture
def host(tmp_path: Path, cloud: OpenStack) -> typing.Iterator[Host]:
    """A host with two emulated regions and the way to Glance."""
    host = Host(tmp_path, cloud.options())
    yield host
    host.close()
