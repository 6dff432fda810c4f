# SPDX-License-Identifier: Apache-2.0
"""Putting another bitstream into a region that its owner holds, in place."""

import dataclasses
import os
import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.model import Cause, Region, State
from fpga_regions.package import reader
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner, unpack


def previous(rig: Rig) -> typing.Callable[[Region], reader.Package | None]:
    """What finds the package that a region was programmed with."""
    return lambda region: unpack(rig.images[region.image_id or ""], rig.conf)


def replace(rig: Rig, region_id: str, image_id: str = CRC, **more: typing.Any) -> typing.Any:
    """Replace what an owner has."""
    return rig.manager.replace(region_id, owner(), rig.image(image_id), previous(rig), **more)


def lie_about(rig: Rig, failing: str, image_id: str) -> None:
    """Have one image fail, and no other."""
    digest, real = unpack(rig.images[image_id], rig.conf).digest, rig.hardware.program

    def program(region: typing.Any, package: reader.Package, deadline: typing.Any) -> None:
        rig.hardware.failing = {failing} if package.digest == digest else set()
        real(region, package, deadline)

    rig.hardware.program = program  # type: ignore[method-assign]


def test_region_and_owner_stay_a_hundred_times(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    before = rig.region(region_id)
    for number in range(100):
        outcome = replace(rig, region_id, (CRC, LZO)[number % 2])
        assert (outcome.region_id, outcome.failure) == (region_id, None)
    after = rig.region(region_id)
    assert (after.owner, after.number, after.handed_out) == (owner(), 1, before.handed_out)
    assert rig.hardware.loaded[region_id] == after.loaded


def test_lower_region_that_is_free_is_not_taken(rig: Rig) -> None:
    other, region_id = rig.burn(LZO, owner(1)), rig.burn(LZO, owner())
    rig.manager.erase(other, owner(1))
    assert replace(rig, region_id).region_id == region_id
    assert rig.states() == ["free", "programmed"]


def test_same_bitstream_again_programs_nothing(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    assert replace(rig, region_id, LZO).same_nodes
    assert rig.hardware.done == [("program", region_id)]


@pytest.mark.parametrize(
    ("failing", "code"), [("program", 68), ("lie", 69), ("time out", 70), ("refuse", 66)]
)
def test_bitstream_that_fails_leaves_the_previous_one_in_place(
    rig: Rig, failing: str, code: int
) -> None:
    region_id = rig.burn(LZO, owner())
    loaded = rig.hardware.loaded[region_id]
    lie_about(rig, failing, CRC)
    failure = replace(rig, region_id).failure
    assert failure is not None
    assert (failure.code, f"(exit {code})" in failure.why) == (72, True)
    region = rig.region(region_id)
    assert (region.state, region.image_id, region.lost) == (State.PROGRAMMED, LZO, None)
    assert rig.hardware.loaded[region_id] == loaded == region.loaded


@pytest.mark.parametrize("failing", ["program", "time out", "lie"])
def test_region_that_takes_neither_is_cleared_and_stays_its_owners(rig: Rig, failing: str) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {failing}
    with pytest.raises(errors.RegionError, match=r"cannot be put back.*; the region was cleared"):
        replace(rig, region_id)
    region = rig.region(region_id)
    assert (region.state, region.owner, bool(region.lost)) == (State.PROGRAMMED, owner(), True)
    assert region_id not in rig.hardware.loaded


def test_region_is_cleared_where_the_previous_package_is_gone(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"time out"}
    with pytest.raises(errors.TimedOut, match="; the region was cleared"):
        rig.manager.replace(region_id, owner(), rig.image(CRC), lambda _region: None)
    assert rig.region(region_id).lost


def test_region_that_does_not_clear_either_is_in_quarantine_and_its_owners(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"time out", "clear"}
    with pytest.raises(errors.TimedOut, match="clearing it failed, too"):
        replace(rig, region_id)
    region = rig.region(region_id)
    assert (region.state, region.quarantine, region.owner) == (
        State.QUARANTINED,
        Cause.ERASE,
        owner(),
    )


def test_region_of_somebody_else_is_unknown(rig: Rig) -> None:
    region_id, free = rig.burn(LZO, owner(1)), rig.ledger.regions()[1].id
    for one in (region_id, free, owner(9)):
        with pytest.raises(errors.UnknownRegion):
            replace(rig, one)
    assert rig.hardware.done == [("program", region_id)]


def test_bitstream_that_is_wrong_changes_nothing(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    before = rig.region(region_id)
    rig.images[CRC] = bitstreams.package("crc32", target={"board": "b", "part": "p"})
    with pytest.raises(errors.NoMatchingHardware):
        replace(rig, region_id)
    with pytest.raises(errors.ImageUnavailable):
        replace(rig, region_id, owner(9))
    assert rig.region(region_id) == before


def test_other_nodes_are_refused_where_a_guest_has_those_of_now(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    before = rig.region(region_id)
    rig.images[CRC] = bitstreams.package(
        "crc32", exposes=[{"kind": "socket", "name": "/dev/other"}]
    )
    with pytest.raises(errors.HandedOut, match=r"/dev/fpga0 .* exposes /dev/other"):
        replace(rig, region_id, same_nodes=True)
    assert rig.region(region_id) == before
    assert replace(rig, region_id).failure is None
    assert [node.name for node in rig.region(region_id).nodes] == ["/dev/other"]


def test_region_that_an_operator_has_in_quarantine_stays_there(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.manager.quarantine(region_id, "fan")
    with pytest.raises(errors.NoFreeRegion, match="fan"):
        replace(rig, region_id)


def test_silent_region_is_left_alone(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"mute"}
    with pytest.raises(errors.NoAnswer):
        replace(rig, region_id)
    assert rig.hardware.done == [("program", region_id)]


def test_lost_region_is_programmed(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    del rig.hardware.loaded[region_id]
    assert replace(rig, region_id, LZO).failure is None
    assert rig.hardware.loaded[region_id].function == "lzo1x_compress"


def test_nodes_are_the_same_only_if_a_guest_reaches_the_region_by_them(
    rig: Rig, tmp_path: Path
) -> None:
    rig.hardware.nodes_at = tmp_path
    os.mkfifo(tmp_path / "fpga0")
    region_id = rig.burn(LZO, owner())
    assert replace(rig, region_id).same_nodes
    real = rig.hardware.program

    def program(*arguments: typing.Any) -> None:
        (tmp_path / "fpga0").rename(tmp_path / "old")
        os.mkfifo(tmp_path / "fpga0")
        real(*arguments)

    rig.hardware.program = program  # type: ignore[method-assign]
    assert not replace(rig, region_id, LZO).same_nodes


def test_region_that_a_dead_process_worked_on_is_brought_to_rest(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.ledger.move(rig.region(region_id), State.PROGRAMMING, "and died")
    assert replace(rig, region_id).failure is None
    region = rig.region(region_id)
    assert (region.image_id, region.lost) == (CRC, None)
    assert dataclasses.replace(region.slot) == region.slot
