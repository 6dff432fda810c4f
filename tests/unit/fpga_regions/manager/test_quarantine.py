# SPDX-License-Identifier: Apache-2.0
"""What is in quarantine tells why, so that only what failed to erase is tried again by itself."""

import pytest

from fpga_regions import errors
from fpga_regions.manager.reconcile import Reconciler
from fpga_regions.model import Cause, State
from tests.unit.fpga_regions.conftest import LZO, Rig, owner


def quarantined(rig: Rig, failing: str = "clear") -> str:
    """A region that did not erase."""
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {failing}
    with pytest.raises(errors.NotErased):
        rig.manager.erase(region_id, owner())
    return region_id


@pytest.mark.parametrize("failing", ["clear", "clear times out", "silent"])
def test_region_that_did_not_erase_is_there_for_that(rig: Rig, failing: str) -> None:
    region = rig.region(quarantined(rig, failing))
    assert region.quarantine == Cause.ERASE
    assert (region.reason or "").startswith("not erased: ")


@pytest.mark.parametrize("used", [True, False])
def test_region_that_an_operator_put_there_is_the_operators(rig: Rig, used: bool) -> None:
    rig.manager.refresh()
    region_id = rig.burn(LZO, owner()) if used else rig.ledger.regions()[0].id
    rig.manager.quarantine(region_id, "the fan is broken")
    region = rig.region(region_id)
    assert (region.quarantine, region.reason) == (Cause.OPERATOR, "the fan is broken")


def test_region_that_does_not_erase_for_an_operator_is_the_operators(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.quarantine(region_id, "the fan is broken")
    assert rig.region(region_id).quarantine == Cause.OPERATOR


def test_operator_takes_over_a_region_that_did_not_erase(rig: Rig) -> None:
    region_id = quarantined(rig)
    rig.manager.quarantine(region_id, "to be looked at")
    assert rig.region(region_id).quarantine == Cause.OPERATOR


def test_region_of_an_undone_burn_is_there_for_its_erasing(rig: Rig) -> None:
    rig.hardware.failing = {"program", "clear"}
    with pytest.raises(errors.ProgrammingFailed):
        rig.burn(LZO, owner())
    (region,) = [r for r in rig.ledger.regions() if r.state == State.QUARANTINED]
    assert region.quarantine == Cause.ERASE


def test_region_that_reconcile_could_not_erase_is_there_for_its_erasing(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.loaded[region_id] = rig.hardware.loaded[region_id].__class__("other", "sha256:0")
    rig.hardware.failing = {"clear"}
    Reconciler(rig.ledger, rig.manager, fix=True).run()
    assert rig.region(region_id).quarantine == Cause.ERASE


def test_release_frees_only_what_erases(rig: Rig) -> None:
    region_id = quarantined(rig)
    with pytest.raises(errors.NotErased):
        rig.manager.release(region_id)
    assert rig.region(region_id).quarantine == Cause.ERASE
    rig.hardware.failing = set()
    rig.manager.release(region_id)
    region = rig.region(region_id)
    assert (region.state, region.quarantine) == (State.FREE, None)
    assert rig.hardware.read_back(region) is None
