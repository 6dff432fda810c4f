# SPDX-License-Identifier: Apache-2.0
"""Where hardware and ledger differ, and what is done about it."""

import pytest

from fpga_regions import errors
from fpga_regions.manager.reconcile import Difference, Kind, Reconciler, failure
from fpga_regions.model import Claim, Loaded, State
from fpga_regions.system import locks
from tests.unit.fpga_regions.conftest import LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

OTHER = Loaded("another", "sha256:ff")


def reconcile(rig: Rig, fix: bool = False) -> list[Difference]:
    """What the verb finds."""
    return Reconciler(rig.ledger, rig.manager, fix).run()


def kinds(found: list[Difference]) -> list[str]:
    """What the differences are."""
    return [difference.kind.value for difference in found]


def exit_status(found: list[Difference]) -> int:
    """What the command ends with."""
    error = failure(found)
    return 0 if error is None else error.code


def test_host_in_order_has_no_differences(rig: Rig) -> None:
    rig.burn(LZO, owner())
    found = reconcile(rig)
    assert (found, exit_status(found)) == ([], 0)


def test_region_without_an_owner_is_in_order(rig: Rig) -> None:
    rig.burn(LZO)
    assert reconcile(rig) == []


def test_new_regions_are_told_and_not_written_down(rig: Rig) -> None:
    found = reconcile(rig)
    assert (kinds(found), exit_status(found)) == (["new", "new"], 32)
    assert rig.ledger.regions() == []


def test_new_regions_are_written_down_by_fix(rig: Rig) -> None:
    assert exit_status(reconcile(rig, fix=True)) == 0
    assert rig.states() == ["free", "free"]


def stray(rig: Rig) -> str:
    rig.manager.refresh()
    region = rig.ledger.regions()[0]
    rig.hardware.loaded[region.id] = OTHER
    return region.id


def test_function_in_a_free_region_is_told_and_left(rig: Rig) -> None:
    region_id = stray(rig)
    (found,) = reconcile(rig)
    assert (found.kind, found.region_id, found.done) == (Kind.STRAY, region_id, None)
    assert "another" in found.hardware
    assert rig.hardware.loaded == {region_id: OTHER}


def test_function_in_a_free_region_is_erased_by_fix(rig: Rig) -> None:
    stray(rig)
    found = reconcile(rig, fix=True)
    assert (kinds(found), exit_status(found), rig.hardware.loaded) == (["stray"], 0, {})
    assert reconcile(rig) == []


def test_function_in_a_free_region_that_does_not_erase_puts_it_in_quarantine(rig: Rig) -> None:
    region_id = stray(rig)
    rig.hardware.failing = {"silent"}
    found = reconcile(rig, fix=True)
    assert exit_status(found) == 31
    assert rig.region(region_id).state == State.QUARANTINED


def test_lost_configuration_is_told_and_not_marked(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.loaded.clear()
    found = reconcile(rig)
    assert (kinds(found), exit_status(found)) == (["lost"], 32)
    assert owner() in found[0].ledger
    assert rig.region(region_id).lost is None


def test_lost_configuration_is_marked_by_fix_and_stays_its_owners(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    since = rig.region(region_id).since
    rig.hardware.loaded.clear()
    assert exit_status(reconcile(rig, fix=True)) == 0
    now = rig.region(region_id)
    assert now.lost is not None
    assert (now.state, now.owner, now.since) == (State.PROGRAMMED, owner(), since)
    assert reconcile(rig) == []


def test_burning_again_mends_a_configuration_that_is_marked_as_lost(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.loaded.clear()
    reconcile(rig, fix=True)
    assert rig.burn(LZO, owner()) == region_id
    assert (rig.region(region_id).lost, reconcile(rig)) == (None, [])


def test_configuration_marked_as_lost_is_not_healthy_until_it_is_found_again(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    held = dict(rig.hardware.loaded)
    rig.hardware.loaded.clear()
    reconcile(rig, fix=True)
    rig.hardware.loaded.update(held)
    assert rig.manager.worker.healthy(rig.region(region_id)) is False
    assert kinds(reconcile(rig, fix=True)) == ["found"]
    assert rig.manager.worker.healthy(rig.region(region_id)) is True


def test_foreign_function_in_an_owners_region_is_erased_by_fix_and_the_owner_keeps_it(
    rig: Rig,
) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.loaded[region_id] = OTHER
    assert kinds(reconcile(rig)) == ["foreign"]
    assert exit_status(reconcile(rig, fix=True)) == 0
    assert (rig.states(), rig.hardware.loaded) == (["programmed", "free"], {})
    region = rig.region(region_id)
    assert (region.owner, region.lost is None) == (owner(), False)


@pytest.mark.parametrize("fix", [True, False])
def test_region_in_use_that_does_not_answer_is_reported_and_nothing_is_done(
    rig: Rig, fix: bool
) -> None:
    rig.burn(LZO, owner())
    before = rig.ledger.regions()
    rig.hardware.failing = {"mute"}
    found = reconcile(rig, fix)
    assert (kinds(found), exit_status(found)) == (["silent"], 32)
    assert rig.ledger.regions() == before


def test_interrupted_transition_is_told_and_left(rig: Rig) -> None:
    rig.manager.refresh()
    region = rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    assert kinds(reconcile(rig)) == ["interrupted"]
    assert rig.region(region.id) == region


def test_interrupted_transition_is_finished_by_fix(rig: Rig) -> None:
    rig.manager.refresh()
    rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    assert exit_status(reconcile(rig, fix=True)) == 0
    assert rig.states() == ["free", "free"]


def test_region_at_work_is_no_difference(rig: Rig) -> None:
    rig.manager.refresh()
    region = rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    with locks.held(rig.ledger.lock_path(region.id)):
        assert reconcile(rig, fix=True) == []
    assert rig.region(region.id) == region


def test_region_in_use_whose_hardware_is_gone_is_reported_and_left(rig: Rig) -> None:
    before = rig.region(rig.burn(LZO, owner()))
    rig.hardware.slots = [slot(1)]
    found = reconcile(rig, fix=True)
    assert (kinds(found), exit_status(found)) == (["gone"], 32)
    assert rig.region(before.id) == before


def test_free_region_whose_hardware_is_gone_is_no_difference(rig: Rig) -> None:
    rig.manager.refresh()
    rig.hardware.slots = [slot(1)]
    assert reconcile(rig) == []


def test_interrupted_region_whose_hardware_is_gone_stays_a_difference(rig: Rig) -> None:
    rig.manager.refresh()
    rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    rig.hardware.slots = [slot(1)]
    found = reconcile(rig, fix=True)
    assert (kinds(found), exit_status(found)) == (["gone"], 32)


def test_region_in_quarantine_is_left_alone(rig: Rig) -> None:
    rig.manager.refresh()
    region = rig.ledger.regions()[0]
    rig.manager.quarantine(region.id, "broken")
    rig.hardware.loaded[region.id] = OTHER
    assert reconcile(rig, fix=True) == []


@pytest.mark.parametrize("fix", [True, False])
def test_hardware_that_cannot_be_asked_is_told(rig: Rig, fix: bool) -> None:
    def broken() -> list[object]:
        raise errors.NotAccessible("no way to the card")

    rig.hardware.discover = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(errors.NotAccessible):
        reconcile(rig, fix)
