# SPDX-License-Identifier: Apache-2.0
"""One manager over several drivers, each with several cards of several regions."""

import io
import os
import pathlib
import typing

import pytest

from fpga_regions import errors
from fpga_regions.drivers import api
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager.bitstreams import Image
from fpga_regions.manager.manager import Manager
from fpga_regions.model import Claim
from fpga_regions.package import reader
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import owner
from tests.unit.fpga_regions.drivers.kernel import Kernel
from tests.unit.fpga_regions.drivers.tools import Tool, load_conf

CONF = """drivers = fake, command, linux
lock_timeout = 1
program_retry_pause = 0

[fake]
cards = 2
regions = 2
board = fake

[command]
cards = left, right

[command:left]
exec = {folder}/left
board = scripted
part = left
nodes = char:{folder}/left-node{{index}}

[command:right]
exec = {folder}/right
board = scripted
part = right
nodes = char:{folder}/right-node{{index}}

[linux]
cards = soc
sysfs = {kernel.sysfs}
configfs = {kernel.configfs}
firmware = {kernel.firmware}

[linux:soc]
board = soc
part = zynq
regions = region0, region1
overlays = {folder}/region0.dtbo, {folder}/region1.dtbo
blanks = {folder}/blank, {folder}/blank
nodes = char:{folder}/soc-node{{index}}
"""
FAKE, LEFT_CARD, RIGHT_CARD, SOC = (
    ("fake", "fake"),
    ("scripted", "left"),
    ("scripted", "right"),
    ("soc", "zynq"),
)
#: What stands for an image's id: the target of its package.
Target = tuple[str, str]


class Mixed:
    """A host with eleven regions on five cards of three kinds."""

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        self.kernel = Kernel(folder / "kernel", patch)
        self.kernel.add_manager("fpga0", ["region0", "region1"])
        for index in range(2):
            blob = f"fpga-nova-soc-{index}.bin\0".encode()
            (folder / f"region{index}.dtbo").write_bytes(blob)
        (folder / "blank").write_bytes(b"nothing")
        self.terminals: list[int] = []
        for card, total in (("left", 2), ("right", 3), ("soc", 2)):
            for index in range(total):
                self._add_node(folder / f"{card}-node{index}")
        self.left_tool = self._tool(folder, "left", 2)
        self.right_tool = self._tool(folder, "right", 3)
        self.conf = load_conf(folder, CONF.format(folder=folder, kernel=self.kernel))
        self.drivers = api.load(self.conf)
        self.ledger = Ledger(folder / "state", 5)
        self.manager = Manager(self.conf, self.ledger, self.drivers)

    def _add_node(self, link: pathlib.Path) -> None:
        """Make a link, as udev does, to a character device that is no other region's."""
        terminal = os.openpty()
        self.terminals += terminal
        link.symlink_to(os.ttyname(terminal[1]))

    def _tool(self, folder: pathlib.Path, name: str, total: int) -> Tool:
        tool = Tool(folder / name)
        burnt = f"{folder}/{name}-burnt"
        count = f'n=$(ls {burnt} | wc -l); echo "Used regions: $n/{total}"'
        (folder / f"{name}-burnt").mkdir()
        tool.answer("status", then=count)
        tool.answer("burn *", then=f"mktemp -p {burnt} core.XXXXXX | sed s,.*/,,")
        tool.answer("erase core.*", then=f"rm {burnt}/$2")
        return tool

    def _fetch(self, image_id: str) -> reader.Package:
        board, part = image_id.split("/")
        data = bitstreams.package(
            target={"board": board, "part": part},
            exposes=[{"kind": "char", "name": "/dev/fpga0"}],
        )
        return reader.read(io.BytesIO(data), reader.Limits.of(self.conf))

    def burn(self, target: Target, number: int) -> tuple[str, str, int]:
        """Burn a package for an owner; driver, card and number of the region."""
        region = self.ledger.region(
            self.manager.burn(Image("/".join(target), self._fetch), Claim(owner(number)))
        )
        assert region is not None
        return region.slot.driver, region.slot.device, region.slot.index

    def states(self) -> list[str]:
        """The regions' states, with whether they are healthy."""
        return [f"{region.state} {healthy}" for region, healthy in self.manager.regions()]


@pytest.fixture
def mixed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Mixed]:
    mixed = Mixed(tmp_path, monkeypatch)
    yield mixed
    mixed.ledger.close()
    for descriptor in mixed.terminals:
        os.close(descriptor)


def test_all_cards_of_all_drivers_are_here_in_the_operators_order(mixed: Mixed) -> None:
    mixed.manager.refresh()
    slots = [region.slot for region in mixed.ledger.regions()]
    assert [(slot.driver, slot.device) for slot in slots] == [
        *[("fake", "fake0")] * 2,
        *[("fake", "fake1")] * 2,
        *[("command", "left")] * 2,
        *[("command", "right")] * 3,
        *[("linux", "soc")] * 2,
    ]
    assert [slot.simulated for slot in slots] == [True] * 4 + [False] * 7


def test_each_package_goes_to_a_card_of_its_kind(mixed: Mixed) -> None:
    targets = [SOC, RIGHT_CARD, FAKE, LEFT_CARD, RIGHT_CARD, SOC, FAKE]
    assert [mixed.burn(target, number) for number, target in enumerate(targets)] == [
        ("linux", "soc", 0),
        ("command", "right", 0),
        ("fake", "fake0", 0),
        ("command", "left", 0),
        ("command", "right", 1),
        ("linux", "soc", 1),
        ("fake", "fake0", 1),
    ]
    assert [state.split()[0] for state in mixed.states()].count("programmed") == 7
    assert all("False" not in state for state in mixed.states())


def test_full_card_does_not_take_from_another_kind(mixed: Mixed) -> None:
    for number in range(2):
        mixed.burn(LEFT_CARD, number)
    with pytest.raises(errors.NoFreeRegion, match="all 2 that match are taken"):
        mixed.burn(LEFT_CARD, 2)


def test_host_is_empty_again_after_all_is_erased(mixed: Mixed) -> None:
    for number, target in enumerate([SOC, RIGHT_CARD, FAKE, LEFT_CARD]):
        mixed.burn(target, number)
    for number in range(4):
        mixed.manager.erase(None, owner(number))
    assert mixed.states() == ["free None"] * 11
    assert list(mixed.kernel.overlays.iterdir()) == []
    assert (len(mixed.left_tool.calls("erase*")), len(mixed.right_tool.calls("erase*"))) == (1, 1)


def test_failure_on_one_card_leaves_the_others_as_they_were(mixed: Mixed) -> None:
    mixed.burn(RIGHT_CARD, 0)
    mixed.burn(FAKE, 1)
    mixed.kernel.state_after = "write error"
    with pytest.raises(errors.ProgrammingFailed, match="clearing it failed, too"):
        mixed.burn(SOC, 2)
    states = mixed.states()
    assert (states.count("programmed True"), states.count("quarantined None")) == (2, 1)


def test_card_that_does_not_answer_hides_no_other(mixed: Mixed) -> None:
    mixed.burn(SOC, 0)
    mixed.burn(LEFT_CARD, 1)
    mixed.left_tool.answer("status", status=127)
    mixed.right_tool.answer("status", status=127)
    (mixed.kernel.sysfs / "class/fpga_manager/fpga0/state").unlink()
    assert mixed.states() == ["free None"] * 4 + ["programmed None"] * 2
    assert mixed.burn(FAKE, 2) == ("fake", "fake0", 0)


def test_cards_that_answer_again_have_the_same_regions(mixed: Mixed) -> None:
    mixed.burn(LEFT_CARD, 0)
    before = {region.id for region in mixed.ledger.regions()}
    healthy = mixed.drivers["command"].discover()
    mixed.left_tool.answer("status", status=127)
    assert len(mixed.states()) == 10
    mixed.left_tool.answer("status", "Used regions: 1/2")
    assert mixed.drivers["command"].discover() == healthy
    assert "programmed True" in mixed.states()
    assert {region.id for region in mixed.ledger.regions()} == before


def test_nothing_that_answers_is_reported(mixed: Mixed) -> None:
    del mixed.drivers["fake"], mixed.drivers["linux"]
    for tool in (mixed.left_tool, mixed.right_tool):
        tool.answer("status", status=127)
    with pytest.raises(errors.NotAccessible, match="card left: left ended with 127; card right"):
        mixed.manager.regions()


def test_damaged_record_of_one_region_is_mended_as_the_message_of_the_others_says(
    mixed: Mixed,
) -> None:
    mixed.burn(LEFT_CARD, 0)
    region = mixed.ledger.held_by(owner(0))[0]
    mixed.manager.erase(None, owner(0))
    (mixed.ledger.folder / f"drivers/command/{region.id}.record").write_text("")
    with pytest.raises(errors.RegionError, match=f"quarantine region {region.id}, and release it"):
        mixed.burn(RIGHT_CARD, 1)
    mixed.manager.quarantine(region.id, "its record is damaged")
    mixed.manager.release(region.id)
    assert mixed.burn(RIGHT_CARD, 1)[:2] == ("command", "right")
