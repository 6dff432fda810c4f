# SPDX-License-Identifier: Apache-2.0
"""Emulated chips: real bitstreams, real tools, real processes."""

import hashlib
import pathlib
import typing

import pytest
from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions.command import options as configuration
from fpga_regions.drivers.emulator import EmulatorDriver
from fpga_regions.emulator.models import Model, Models
from fpga_regions.emulator.sandbox import Sandbox
from fpga_regions.model import Loaded, Region, State
from fpga_regions.system.processes import Process
from tests.support import bitstreams
from tests.support.host import Host

from ..conftest import unpack

UID = 2000004000


class Board:
    """An emulated region and its driver, for real bitstreams."""

    def __init__(self, folder: pathlib.Path, engine: str = "icarus", **options: object) -> None:
        folder.mkdir(exist_ok=True)
        settings = {f"emulator__{name}": value for name, value in options.items()}
        self.host = Host(folder, emulator__engine=engine, emulator__parts="hx1k,hx8k", **settings)
        self.conf: cfg.ConfigOpts = configuration.load(str(self.host.config))
        self.driver = EmulatorDriver("emulator", self.conf)
        slot = self.driver.discover()[0]
        self.region = Region("a0399bc1-cb67-4548-b0b8-aa95a91402d3", slot, State.FREE, "")

    def program(self, core: str, part: str = "hx1k", content: bytes | None = None) -> str:
        """Program a core; the path of its socket."""
        package = unpack(bitstreams.real_package(core, part, content), self.conf)
        self.driver.program(self.region, package, Deadline(250))
        return self.driver.nodes(self.region, package)[0].path

    def clear(self) -> None:
        """Clear the region."""
        self.driver.clear(self.region, Deadline(10))

    def read_back(self) -> Loaded | None:
        """What the region says."""
        return self.driver.read_back(self.region)

    def server(self) -> Process:
        """The process behind the region."""
        (server,) = self.host.servers()
        return server

    def simulators(self) -> list[int]:
        """The processes that the server has started."""
        pid = self.server().pid
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]

    def close(self) -> None:
        """Leave nothing behind."""
        self.clear()
        self.host.close()


@pytest.fixture
def board(tmp_path: pathlib.Path) -> typing.Iterator[Board]:
    """A region that Icarus simulates."""
    board = Board(tmp_path / "board", client_timeout=5)
    yield board
    board.close()


@pytest.fixture
def box(tmp_path: pathlib.Path) -> Sandbox:
    """Where tools run."""
    return Sandbox(tmp_path / "work", UID)


class Workshop:
    """Models in a folder of their own."""

    def __init__(self, folder: pathlib.Path, max_size: int = 1 << 28) -> None:
        self.folder = folder
        self.models = Models(folder / "models", max_size, Sandbox(folder / "work", UID))

    def get(self, core: str, how: str, part: str = "hx1k") -> Model:
        """The model of a core; its file is closed."""
        data = bitstreams.bitstream(core, part)
        digest = hashlib.sha256(data).hexdigest()
        model = self.models.get(data, digest, part, how, Deadline(250))
        model.file.close()
        return model


@pytest.fixture
def workshop(tmp_path: pathlib.Path) -> Workshop:
    """Models, and none is there yet."""
    return Workshop(tmp_path)
