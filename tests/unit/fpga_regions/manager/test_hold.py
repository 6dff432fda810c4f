# SPDX-License-Identifier: Apache-2.0
"""Holding a region for an owner who does not want it programmed."""

import pytest

from fpga_regions import errors
from fpga_regions.manager.reconcile import Reconciler
from fpga_regions.model import Cause, Claim, State
from fpga_regions.system import locks
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner


def hold(rig: Rig, number: int = 0, device: str | None = None, board: str | None = None) -> str:
    """Hold a region for an owner."""
    return rig.manager.hold(Claim(owner(number), device), board)


def test_held_region_is_its_owners_and_holds_nothing(rig: Rig) -> None:
    region = rig.region(hold(rig))
    assert (region.state, region.owner, region.number) == (State.CLAIMED, owner(), 1)
    assert (region.function, region.nodes, bool(region.handed_out)) == (None, (), True)
    assert rig.hardware.done == []


def test_holding_again_gives_the_same_region(rig: Rig) -> None:
    assert hold(rig) == hold(rig)
    assert rig.states() == ["claimed", "free"]


def test_region_that_is_held_goes_to_nobody_else(rig: Rig) -> None:
    held = hold(rig)
    assert rig.burn(LZO, owner(1)) != held
    with pytest.raises(errors.NoFreeRegion):
        hold(rig, 2)
    with pytest.raises(errors.NoFreeRegion):
        rig.burn(LZO, owner(3))


@pytest.mark.parametrize(("device", "board"), [("card9", None), (None, "other")])
def test_what_is_not_here_is_not_held(rig: Rig, device: str | None, board: str | None) -> None:
    with pytest.raises(errors.NoMatchingHardware):
        hold(rig, device=device, board=board)
    assert hold(rig, device="card0", board="emulator")


def test_only_its_owner_releases_it(rig: Rig) -> None:
    held = hold(rig)
    with pytest.raises(errors.HandedOut):
        rig.manager.erase(held)
    with pytest.raises(errors.UnknownRegion):
        rig.manager.erase(held, owner(1))
    rig.manager.erase(None, owner())
    assert rig.states() == ["free", "free"]
    assert rig.hardware.done == [("clear", held)]


def test_release_that_does_not_erase_keeps_it_from_the_next(rig: Rig) -> None:
    held = hold(rig)
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.erase(None, owner())
    assert (rig.region(held).state, rig.region(held).owner) == (State.QUARANTINED, None)


def test_what_is_left_in_a_free_region_is_erased_first(rig: Rig) -> None:
    rig.conf.set_override("warm", True)
    rig.hardware.resets = True
    rig.burn(LZO, owner(1))
    rig.burn(CRC, owner(2))
    rig.manager.erase(None, owner(1))
    rig.manager.erase(None, owner(2))
    held = rig.region(hold(rig))
    assert (held.state, held.warm) == (State.CLAIMED, None)
    assert held.id not in rig.hardware.loaded


def test_region_that_does_not_erase_is_left_out(rig: Rig) -> None:
    first = rig.burn(LZO, owner(1))
    loaded = rig.hardware.loaded[first]
    rig.manager.erase(None, owner(1))
    rig.hardware.loaded[first] = loaded
    rig.hardware.failing = {"clear"}
    assert hold(rig) != first
    assert rig.region(first).quarantine == Cause.ERASE


def test_quarantine_and_its_release_leave_it_to_its_owner(rig: Rig) -> None:
    held = hold(rig)
    rig.manager.quarantine(held, "fan")
    with pytest.raises(errors.NoFreeRegion, match="fan"):
        hold(rig)
    rig.manager.release(held)
    assert (rig.region(held).state, rig.region(held).owner) == (State.CLAIMED, owner())


def test_claim_burns_a_bitstream_into_the_region_that_it_holds(rig: Rig) -> None:
    held = hold(rig)
    assert rig.burn(LZO, owner()) == held
    assert (rig.region(held).state, rig.region(held).image_id) == (State.PROGRAMMED, LZO)
    assert hold(rig) == held


def test_reconcile_has_nothing_to_say_of_what_an_owner_puts_into_it(rig: Rig) -> None:
    held = hold(rig)
    rig.hardware.loaded[held] = rig.region(rig.burn(LZO, owner(1))).loaded  # type: ignore[assignment]
    assert Reconciler(rig.ledger, rig.manager, fix=True).run() == []


def test_free_regions_that_others_work_on_are_waited_for(rig: Rig) -> None:
    rig.manager.refresh()
    with locks.held(rig.ledger.lock_path(rig.ledger.regions()[0].id)):
        assert hold(rig) == rig.ledger.regions()[1].id
