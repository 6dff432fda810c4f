# SPDX-License-Identifier: Apache-2.0
"""A region whose nodes a guest may have is nobody else's, whatever the hardware does."""

import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.manager.manager import Manager
from fpga_regions.manager.reconcile import Reconciler
from fpga_regions.model import Cause, Node, Region, State
from fpga_regions.package.reader import Package
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

A, B = owner(0), owner(1)


@pytest.fixture
def handed_out(rig: Rig) -> Region:
    """The region of A, whose guest has its nodes."""
    return rig.region(rig.burn(LZO, A))


def withheld(rig: Rig, before: Region) -> Region:
    """Whether it is A's still, with the nodes that A's guest has; what the ledger says of it."""
    region = rig.region(before.id)
    assert (region.owner, region.number) == (before.owner, before.number)
    assert (region.handed_out, region.nodes) == (before.handed_out, before.nodes)
    assert region.state != State.FREE
    return region


def fill(rig: Rig) -> list[str]:
    """Burn for others until there is no region left; the regions that they got."""
    burnt = []
    with pytest.raises(errors.NoFreeRegion):
        for number in range(2, 9):
            burnt.append(rig.burn(LZO, owner(number)))
    return burnt


def test_burn_hands_a_region_out_and_the_owners_erase_takes_it_back(rig: Rig) -> None:
    region_id = rig.burn(LZO, A)
    assert rig.region(region_id).handed_out is not None
    rig.manager.erase(None, A)
    assert rig.region(region_id).handed_out is None


def test_burn_without_an_owner_hands_nothing_out(rig: Rig) -> None:
    region_id = rig.burn(LZO)
    assert rig.region(region_id).handed_out is None
    rig.manager.erase(region_id)
    assert rig.states() == ["free", "free"]


def test_first_burn_that_fails_hands_nothing_out(rig: Rig) -> None:
    rig.hardware.failing = {"program"}
    with pytest.raises(errors.ProgrammingFailed):
        rig.burn(LZO, A)
    assert rig.states() == ["free", "free"]


@pytest.mark.parametrize("failing", [{"program"}, {"time out"}, {"refuse"}, {"lie"}])
def test_failed_burn_of_a_lost_configuration_leaves_the_region_to_its_owner(
    rig: Rig, handed_out: Region, failing: set[str]
) -> None:
    del rig.hardware.loaded[handed_out.id]
    rig.hardware.failing = failing
    with pytest.raises(errors.RegionError):
        rig.burn(LZO, A)
    region = withheld(rig, handed_out)
    assert (region.state, region.lost is not None) == (State.PROGRAMMED, True)
    rig.hardware.failing = set()
    assert handed_out.id not in fill(rig)
    assert rig.burn(LZO, A) == handed_out.id
    assert withheld(rig, handed_out).lost is None


def test_failed_burn_that_cannot_be_cleared_leaves_the_region_to_its_owner_in_quarantine(
    rig: Rig, handed_out: Region
) -> None:
    del rig.hardware.loaded[handed_out.id]
    rig.hardware.failing = {"program", "clear"}
    with pytest.raises(errors.ProgrammingFailed):
        rig.burn(LZO, A)
    assert withheld(rig, handed_out).quarantine == Cause.ERASE
    rig.hardware.failing = set()
    assert handed_out.id not in fill(rig)
    assert rig.burn(LZO, A) == handed_out.id
    assert withheld(rig, handed_out).state == State.PROGRAMMED


@pytest.mark.parametrize("failing", [set(), {"clear"}, {"mute"}])
def test_release_gives_a_region_back_to_its_owner_and_never_free(
    rig: Rig, handed_out: Region, failing: set[str]
) -> None:
    rig.manager.quarantine(handed_out.id, "fan is broken")
    assert withheld(rig, handed_out).quarantine == Cause.OPERATOR
    rig.hardware.failing = failing
    if failing:
        with pytest.raises(errors.NotErased):
            rig.manager.release(handed_out.id)
    else:
        rig.manager.release(handed_out.id)
        assert withheld(rig, handed_out).lost is not None
    rig.hardware.failing = set()
    withheld(rig, handed_out)
    assert handed_out.id not in fill(rig)


def test_burn_for_the_owner_of_a_region_that_an_operator_withdrew_is_refused(
    rig: Rig, handed_out: Region
) -> None:
    rig.manager.quarantine(handed_out.id, "fan is broken")
    with pytest.raises(errors.NoFreeRegion, match=r"in quarantine \(fan is broken\); release it"):
        rig.burn(LZO, A)
    assert withheld(rig, handed_out).quarantine == Cause.OPERATOR


def test_region_that_an_operator_withdrew_stays_withdrawn_when_its_owner_goes(
    rig: Rig, handed_out: Region
) -> None:
    rig.manager.quarantine(handed_out.id, "fan is broken")
    rig.manager.erase(None, A)
    region = rig.region(handed_out.id)
    assert (region.owner, region.handed_out, region.quarantine) == (None, None, Cause.OPERATOR)
    rig.manager.release(handed_out.id)
    assert rig.states() == ["free", "free"]


def test_erase_that_does_not_name_the_owner_is_refused_and_says_how(
    rig: Rig, handed_out: Region
) -> None:
    with pytest.raises(errors.HandedOut, match=f"erase {handed_out.id} --owner {A}") as refused:
        rig.manager.erase(handed_out.id)
    assert refused.value.code == 74
    assert rig.region(handed_out.id) == handed_out


def test_region_that_does_not_answer_is_neither_burnt_nor_erased_by_a_burn(
    rig: Rig, handed_out: Region
) -> None:
    rig.hardware.failing = {"mute"}
    rig.hardware.done.clear()
    with pytest.raises(errors.NoAnswer, match="nothing was changed"):
        rig.burn(LZO, A)
    assert (rig.hardware.done, rig.region(handed_out.id)) == ([], handed_out)
    assert dict(rig.manager.regions())[handed_out] is None


def test_region_that_does_not_say_that_it_is_empty_is_not_free(
    rig: Rig, handed_out: Region
) -> None:
    rig.hardware.failing = {"mute"}
    with pytest.raises(errors.NotErased, match="does not show that it is empty"):
        rig.manager.erase(None, A)
    region = rig.region(handed_out.id)
    assert (region.quarantine, region.owner, region.handed_out) == (Cause.ERASE, None, None)


def test_package_that_the_owners_region_does_not_take_is_refused(
    rig: Rig, handed_out: Region
) -> None:
    with pytest.raises(errors.HandedOut, match="erase it first"):
        rig.burn(LZO, A, device="card1") if _add_card(rig) else None
    assert rig.region(handed_out.id) == handed_out


def _add_card(rig: Rig) -> bool:
    from tests.unit.fpga_regions.hardware import slot

    rig.hardware.slots.append(slot(0, "card1"))
    return True


@pytest.mark.parametrize("state", [State.PROGRAMMING, State.ERASING])
def test_process_that_dies_at_work_on_it_leaves_it_to_its_owner(
    rig: Rig, handed_out: Region, state: State
) -> None:
    rig.ledger.move(handed_out, state, "begun")
    rig.manager.refresh()
    assert withheld(rig, handed_out).lost is not None


def test_process_that_dies_in_the_owners_erase_leaves_it_free(rig: Rig, handed_out: Region) -> None:
    rig.ledger.move(handed_out, State.ERASING, "erased", returned=True)
    rig.manager.refresh()
    assert rig.states() == ["free", "free"]


def test_ledger_frees_nothing_that_a_guest_may_have(rig: Rig, handed_out: Region) -> None:
    erasing = rig.ledger.move(handed_out, State.ERASING, "erased")
    with pytest.raises(ValueError, match="a guest may have"):
        rig.ledger.move(erasing, State.FREE, "freed")


@pytest.mark.parametrize("fix", [True, False])
def test_reconcile_frees_nothing_that_a_guest_may_have(
    rig: Rig, handed_out: Region, fix: bool
) -> None:
    harms: list[typing.Callable[[], object]] = [
        lambda: rig.hardware.loaded.pop(handed_out.id, None),
        lambda: rig.hardware.loaded.update({handed_out.id: rig.hardware.loaded[other]}),
        lambda: rig.hardware.failing.add("clear"),
    ]
    other = rig.burn(CRC, B)
    for harm in harms:
        harm()
        Reconciler(rig.ledger, rig.manager, fix).run()
        withheld(rig, handed_out)


def test_node_of_a_renamed_card_is_given_to_nobody_else(rig: Rig, tmp_path: Path) -> None:
    rig.hardware.nodes_at = tmp_path
    rig.hardware.slots = [slot(0)]
    before = rig.region(rig.burn(LZO, A))
    rig.hardware.slots = [slot(0, "renamed")]
    rig.hardware.done.clear()
    with pytest.raises(errors.NoFreeRegion, match=f"{tmp_path}/fpga0 .* give a renamed card"):
        rig.burn(LZO, B)
    assert ("program", before.id) not in rig.hardware.done
    assert [step for step, _region in rig.hardware.done] == []
    assert withheld(rig, before) == before
    assert rig.states() == ["programmed", "free"]
    rig.manager.erase(None, A)
    assert rig.burn(LZO, B) != before.id


def test_node_that_only_programming_shows_to_be_anothers_is_given_to_nobody_else(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.hardware.nodes_at = tmp_path
    before = rig.region(rig.burn(LZO, A))
    real = rig.hardware.nodes

    def nodes(region: Region, package: Package) -> tuple[Node, ...]:
        if region.id not in rig.hardware.loaded:
            raise errors.ProgrammingFailed("the region has no node yet")
        return real(region, package)

    monkeypatch.setattr(rig.hardware, "nodes", nodes)
    with pytest.raises(errors.NoFreeRegion, match="the region was cleared"):
        rig.burn(LZO, B)
    assert withheld(rig, before) == before
    assert rig.states() == ["programmed", "free"]


def test_region_whose_driver_was_removed_leaves_the_host_with_its_owner(
    rig: Rig, handed_out: Region
) -> None:
    removed = Manager(rig.conf, rig.ledger, {})
    removed.refresh()
    assert [region.id for region in rig.ledger.regions()] == [handed_out.id]
    with pytest.raises(errors.NotErased, match="add it to drivers"):
        removed.erase(None, A)
    assert rig.ledger.regions() == []
    region = rig.region(handed_out.id)
    assert (region.state, region.quarantine, region.owner) == (
        State.QUARANTINED,
        Cause.ERASE,
        None,
    )
    rig.manager.refresh()
    assert rig.states() == ["quarantined", "free"]
    rig.manager.release(handed_out.id)
    assert rig.states() == ["free", "free"]


def test_region_in_quarantine_that_a_guest_may_have_is_counted_though_its_card_is_gone(
    rig: Rig, handed_out: Region
) -> None:
    rig.manager.quarantine(handed_out.id, "fan is broken")
    rig.hardware.slots = []
    rig.manager.refresh()
    assert [region.id for region in rig.ledger.regions()] == [handed_out.id]
