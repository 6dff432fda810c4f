# SPDX-License-Identifier: Apache-2.0
"""An owner holds several regions, told apart by their numbers."""

import pytest

from fpga_regions import errors
from fpga_regions.model import State
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.command.test_main import refusal
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot
from tests.unit.fpga_regions.manager.test_dry_run import reasons


@pytest.fixture
def wide(rig: Rig) -> Rig:
    """A card with four regions."""
    rig.hardware.slots += [slot(2), slot(3)]
    return rig


def held(rig: Rig, number: int = 0) -> dict[int | None, str | None]:
    """The images of an owner's regions by their numbers."""
    return {region.number: region.image_id for region in rig.ledger.held_by(owner(number))}


def test_each_number_is_a_region_of_its_own(wide: Rig) -> None:
    burnt = {wide.burn(LZO, owner(), number=number) for number in (1, 2, 6)}
    assert len(burnt) == 3
    assert held(wide) == {1: LZO, 2: LZO, 6: LZO}


def test_same_image_and_number_again_is_the_same_region(wide: Rig) -> None:
    wide.burn(LZO, owner())
    burnt = wide.burn(CRC, owner(), number=2)
    done = list(wide.hardware.done)
    assert wide.burn(CRC, owner(), number=2) == burnt
    assert wide.hardware.done == done


def test_another_image_takes_the_place_of_that_number_only(wide: Rig) -> None:
    first = wide.burn(LZO, owner())
    wide.burn(LZO, owner(), number=2)
    wide.burn(CRC, owner(), number=2)
    assert held(wide) == {1: LZO, 2: CRC}
    assert wide.burn(LZO, owner()) == first


def test_erasing_by_owner_erases_all_of_its_regions_and_no_others(wide: Rig) -> None:
    for number in (1, 2, 3):
        wide.burn(LZO, owner(), number=number)
    wide.burn(LZO, owner(1), number=2)
    wide.manager.erase(None, owner())
    assert (held(wide), held(wide, 1)) == ({}, {2: LZO})
    assert sorted(wide.states()) == ["free", "free", "free", "programmed"]


def test_erasing_a_region_of_an_owner_leaves_its_others(wide: Rig) -> None:
    wide.burn(LZO, owner())
    second = wide.burn(LZO, owner(), number=2)
    wide.manager.erase(second, owner())
    assert held(wide) == {1: LZO}


def test_region_that_does_not_erase_does_not_keep_the_others_of_its_owner(
    wide: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    burnt = [wide.burn(LZO, owner(), number=number) for number in (1, 2, 3)]
    clear = wide.hardware.clear

    def fail_at_first(region, deadline):
        if region.id == burnt[0]:
            raise errors.NotErased("the board does not let go")
        clear(region, deadline)

    monkeypatch.setattr(wide.hardware, "clear", fail_at_first)
    with pytest.raises(errors.NotErased, match=r"let go; the region is in quarantine$"):
        wide.manager.erase(None, owner())
    states = [wide.region(region_id).state for region_id in burnt]
    assert states == [State.QUARANTINED, State.FREE, State.FREE]


def test_how_many_regions_of_an_owner_failed_is_told(wide: Rig) -> None:
    for number in (1, 2, 3):
        wide.burn(LZO, owner(), number=number)
    wide.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased, match=r"; so 2 more of the owner's regions$"):
        wide.manager.erase(None, owner())
    assert wide.states().count("quarantined") == 3


def test_erase_ends_as_its_first_failure(wide: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    wide.burn(LZO, owner())
    wide.burn(LZO, owner(), number=2)
    real = wide.manager._erase
    failures = iter([errors.TimedOut("busy"), errors.NotErased("stuck")])

    def fail(region, whose):
        real(region, whose)
        raise next(failures)

    monkeypatch.setattr(wide.manager, "_erase", fail)
    with pytest.raises(errors.TimedOut, match="busy"):
        wide.manager.erase(None, owner())


def test_full_host_refuses_a_further_number_and_keeps_the_others(rig: Rig) -> None:
    for number in (1, 2):
        rig.burn(LZO, owner(), number=number)
    with pytest.raises(errors.NoFreeRegion):
        rig.burn(LZO, owner(), number=3)
    assert held(rig) == {1: LZO, 2: LZO}


def test_plan_for_a_number_leaves_the_owners_others_alone(rig: Rig) -> None:
    first = rig.burn(LZO, owner(), number=2)
    choices, _ = rig.plan(LZO, owner(), number=1)
    words = reasons(choices)
    assert f"for {owner()} (number 2)" in words.pop(first)
    assert list(words.values()) == ["is free"]
    choices, _ = rig.plan(LZO, owner(), number=2)
    assert reasons(choices)[first] == "is its owner's already"


def test_numbers_work_from_the_command_line(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    second = host.burn(image, "--owner", owner(), "--number", "2")
    first = host.burn(image, "--owner", owner())
    regions = {region["id"]: region for region in host.status()["regions"]}
    assert (regions[first]["number"], regions[second]["number"]) == (1, 2)
    assert host.burn(image, "--owner", owner(), "--number", "2") == second
    assert host.run("erase", "--owner", owner()).returncode == 0
    assert host.states() == ["free", "free"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--number", "2"], "only with an --owner"),
        (["--owner", owner(), "--number", "0"], "invalid choice: 0"),
        (["--owner", owner(), "--number", "7"], "invalid choice: 7"),
        (["--owner", owner(), "--number", "two"], "invalid int value"),
    ],
)
def test_wrong_numbers_are_wrong_command_lines(
    host: Host, arguments: list[str], words: str
) -> None:
    assert words in refusal(host.run("burn", LZO, *arguments), 2)


@pytest.mark.parametrize("driver", ["emulator", "fake"])
def test_vendor_is_told_as_configured(host: Host, driver: str) -> None:
    host.configure(drivers=driver, **{f"{driver}__vendor": "acme"})
    assert {region["vendor"] for region in host.status()["regions"]} == {"acme"}
    host.configure(drivers=driver)
    assert {region["vendor"] for region in host.status()["regions"]} == {None}
