# SPDX-License-Identifier: Apache-2.0
"""Regions that keep their configuration when they are erased, and who gets them."""

import io
import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.manager.reconcile import Reconciler
from fpga_regions.model import Claim, Loaded, Region, State
from fpga_regions.package import reader
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

COPY = "33333333-3333-4333-8333-333333333333"


@pytest.fixture
def warm(tmp_path: Path) -> typing.Iterator[Rig]:
    """A card with three regions that can be reset, on a host that keeps them warm."""
    rig = Rig(tmp_path / "rig", [slot(0), slot(1), slot(2)], "warm = True\n")
    rig.hardware.resets = True
    rig.images[COPY] = rig.images[LZO]
    yield rig
    rig.ledger.close()


def used_and_erased(rig: Rig, image_id: str = LZO, number: int = 0) -> str:
    """A region that an owner had."""
    region_id = rig.burn(image_id, owner(number))
    rig.hardware.use(region_id)
    rig.manager.erase(None, owner(number))
    return region_id


def package(rig: Rig, image_id: str) -> reader.Package:
    """An image's package."""
    return reader.read(io.BytesIO(rig.images[image_id]), reader.Limits.of(rig.conf))


def steps(rig: Rig) -> list[str]:
    """What the hardware did, in short."""
    return [step for step, _ in rig.hardware.done]


def shown(rig: Rig, region_id: str) -> Region:
    """What the status tells of a region."""
    return next(region for region, _ in rig.manager.regions() if region.id == region_id)


def test_erased_region_is_free_and_holds_nothing_of_its_owner(warm: Rig) -> None:
    region_id = used_and_erased(warm)
    region = warm.region(region_id)
    assert (region.state, region.owner, region.nodes) == (State.FREE, None, ())
    assert region_id not in warm.hardware.traces
    assert region.warm is not None
    assert region.warm.loaded == warm.hardware.read_back(region)


def test_nothing_is_kept_warm_unless_it_is_asked_for(rig: Rig) -> None:
    rig.hardware.resets = True
    region = rig.region(used_and_erased(rig))
    assert (region.warm, rig.hardware.read_back(region)) == (None, None)
    assert "reset" not in steps(rig)


def test_nothing_is_kept_warm_that_cannot_be_reset(warm: Rig) -> None:
    warm.hardware.resets = False
    region = warm.region(used_and_erased(warm))
    assert (region.warm, warm.hardware.read_back(region)) == (None, None)


@pytest.mark.parametrize("image_id", [LZO, COPY], ids=["same image", "same bitstream"])
def test_same_bitstream_is_handed_out_without_programming(warm: Rig, image_id: str) -> None:
    used_and_erased(warm, CRC, 1)
    warm.burn(CRC, owner(1))
    warm_id = used_and_erased(warm)
    warm.hardware.done.clear()
    assert warm.burn(image_id, owner(2)) == warm_id
    assert "program" not in steps(warm)
    region = warm.region(warm_id)
    assert (region.state, region.owner, region.image_id) == (State.PROGRAMMED, owner(2), image_id)
    assert region.warm is None
    assert [node.name for node in region.nodes] == ["/dev/fpga0"]


def test_warm_region_is_preferred_to_a_cold_one_before_it(warm: Rig) -> None:
    first = warm.burn(CRC, owner(1))
    second = used_and_erased(warm)
    warm.manager.quarantine(first, "to make it cold")
    warm.manager.release(first)
    assert warm.burn(LZO, owner(2)) == second


def test_package_from_a_file_is_handed_out_warm_as_well(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.hardware.done.clear()
    assert warm.burn_package(package(warm, LZO), owner(2)) == warm_id
    assert (warm.region(warm_id).image_id, steps(warm)) == (None, [])


def test_another_bitstream_takes_a_cold_region_first(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    assert warm.burn(CRC, owner(1)) != warm_id
    assert warm.region(warm_id).warm is not None


def test_another_bitstream_takes_a_warm_region_last_and_programs_it(warm: Rig) -> None:
    for number in range(2):
        warm.burn(LZO, owner(number))
    warm_id = used_and_erased(warm, LZO, 2)
    assert warm.burn(CRC, owner(3)) == warm_id
    assert warm.hardware.loaded[warm_id].function == "crc32"
    assert warm.region(warm_id).warm is None


def test_same_bitstream_with_other_nodes_is_programmed(warm: Rig) -> None:
    used_and_erased(warm)
    exposes = [{"kind": "socket", "name": "/dev/accel"}]
    warm.images[COPY] = bitstreams.package(exposes=exposes)
    warm.hardware.done.clear()
    warm.burn(COPY, owner(1))
    assert "program" in steps(warm)


def test_warm_region_that_lost_its_configuration_is_cold(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.hardware.loaded.clear()
    assert shown(warm, warm_id).warm is None
    assert Reconciler(warm.ledger, warm.manager, fix=False).run() == []
    warm.hardware.done.clear()
    assert warm.burn(LZO, owner(1)) == warm_id
    assert steps(warm) == ["program"]


def test_warm_region_that_holds_something_else_is_a_stray(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.hardware.loaded[warm_id] = Loaded("another", "sha256:ff")
    (found,) = Reconciler(warm.ledger, warm.manager, fix=True).run()
    assert (found.kind, warm.hardware.loaded, warm.region(warm_id).warm) == ("stray", {}, None)


def test_warm_region_is_no_difference(warm: Rig) -> None:
    used_and_erased(warm)
    assert Reconciler(warm.ledger, warm.manager, fix=False).run() == []


def test_region_that_does_not_reset_is_cleared(warm: Rig) -> None:
    region_id = warm.burn(LZO, owner())
    warm.hardware.failing = {"reset"}
    warm.manager.erase(None, owner())
    region = warm.region(region_id)
    assert (region.state, region.warm, warm.hardware.loaded) == (State.FREE, None, {})


def test_region_that_neither_resets_nor_clears_is_in_quarantine(warm: Rig) -> None:
    region_id = warm.burn(LZO, owner())
    warm.hardware.failing = {"reset", "clear"}
    with pytest.raises(errors.NotErased):
        warm.manager.erase(None, owner())
    assert warm.region(region_id).state == State.QUARANTINED


def test_region_that_lost_its_configuration_is_cleared_and_not_reset(warm: Rig) -> None:
    region_id = warm.burn(LZO, owner())
    warm.hardware.loaded.clear()
    warm.manager.erase(None, owner())
    assert "reset" not in steps(warm)
    assert warm.region(region_id).warm is None


def test_driver_that_wants_it_resets_again_before_it_hands_out(
    warm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(warm.hardware), "resets_again", True)
    warm_id = used_and_erased(warm)
    warm.hardware.done.clear()
    warm.burn(LZO, owner(1))
    assert warm.hardware.done == [("reset", warm_id)]


def test_warm_region_that_does_not_reset_again_is_programmed(
    warm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(warm.hardware), "resets_again", True)
    used_and_erased(warm)
    warm.hardware.failing = {"reset"}
    warm.hardware.done.clear()
    warm.burn(LZO, owner(1))
    assert steps(warm) == ["reset", "program"]


def test_erasing_a_free_region_by_its_id_makes_it_cold(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.manager.erase(warm_id)
    assert (warm.region(warm_id).warm, warm.hardware.loaded) == (None, {})


def test_late_erase_of_an_owner_leaves_a_region_warm(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.manager.erase(warm_id, owner())
    assert warm.region(warm_id).warm is not None


def test_warm_region_that_is_put_into_quarantine_is_cleared(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.manager.quarantine(warm_id, "the fan is broken")
    assert (warm.region(warm_id).warm, warm.hardware.loaded) == (None, {})


def test_burn_that_fetches_nothing_leaves_a_warm_region_warm(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    del warm.images[LZO]
    with pytest.raises(errors.ImageUnavailable):
        warm.burn(LZO, owner(1))
    assert warm.region(warm_id).warm is not None


def test_warm_regions_are_programmed_anew_once_it_is_switched_off(warm: Rig) -> None:
    warm_id = used_and_erased(warm)
    warm.conf.set_override("warm", False)
    warm.hardware.done.clear()
    assert warm.burn(LZO, owner(1)) == warm_id
    assert steps(warm) == ["program"]


def test_warm_regions_are_taken_by_two_owners_once_each(warm: Rig) -> None:
    for number in range(2):
        warm.burn(LZO, owner(number))
    for number in range(2):
        warm.manager.erase(None, owner(number))
    warm.hardware.done.clear()
    burnt = {warm.burn(COPY, owner(number)) for number in range(2, 4)}
    assert (len(burnt), "program" in steps(warm)) == (2, False)


@pytest.mark.parametrize("image_id", [LZO, COPY, CRC])
def test_plan_names_the_region_that_the_burn_takes(warm: Rig, image_id: str) -> None:
    warm.burn(CRC, owner(1))
    used_and_erased(warm)
    choices, _ = warm.plan(image_id, owner(2))
    (burnt,) = [choice.region.id for choice in choices if choice.chosen]
    assert warm.burn(image_id, owner(2)) == burnt


def test_region_that_is_claimed_meanwhile_does_not_cost_the_one_at_hand(
    warm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = warm.burn(CRC)
    warm_id = used_and_erased(warm)
    warm.manager.quarantine(cold, "to make it cold")
    warm.manager.release(cold)
    real = warm.fetch

    def fetch(image_id: str) -> reader.Package:
        warm.ledger.claim(warm_id, Claim(owner(5)), LZO)
        return real(image_id)

    monkeypatch.setattr(warm, "fetch", fetch)
    assert warm.burn(COPY, owner(2)) == cold
