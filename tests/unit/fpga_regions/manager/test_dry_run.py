# SPDX-License-Identifier: Apache-2.0
"""What a dry run tells is what the burn then does."""

import io
import itertools

import pytest

from fpga_regions import errors
from fpga_regions.manager.bitstreams import File
from fpga_regions.manager.dry_run import Choice
from fpga_regions.model import Claim
from fpga_regions.package.reader import Limits, Package, read
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

UNKNOWN = "99999999-9999-4999-8999-999999999999"


def package(rig: Rig, image_id: str = LZO) -> Package:
    """An image's package."""
    return read(io.BytesIO(rig.images[image_id]), Limits.of(rig.conf))


def reasons(choices: list[Choice]) -> dict[str, str]:
    """Why each region is taken or not."""
    return {choice.region.id: choice.why for choice in choices}


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [*itertools.product([None, LZO, CRC], [None, LZO, CRC], [LZO, CRC])],
)
def test_plan_names_the_region_that_the_burn_takes(
    rig: Rig, first: str | None, second: str | None, wanted: str
) -> None:
    for number, image_id in enumerate((first, second)):
        if image_id is not None:
            rig.burn(image_id, owner(number))
    choices, failure = rig.plan(wanted, owner(1))
    assert failure is None
    (best,) = [choice.region.id for choice in choices if choice.chosen]
    assert rig.burn(wanted, owner(1)) == best


def test_plan_takes_and_programs_nothing(rig: Rig) -> None:
    rig.plan(LZO, owner())
    assert (rig.states(), rig.hardware.done) == (["free", "free"], [])


def test_plan_tells_why_each_region_is_not_taken(rig: Rig) -> None:
    rig.hardware.slots += [slot(2), slot(3, part="hx1k"), slot(0, "card1")]
    held = rig.burn(LZO, owner(7))
    _, second, third, other, far = (region.id for region in rig.ledger.regions())
    rig.manager.quarantine(second, "broken")
    choices, _ = rig.plan(LZO, owner(), "card0")
    words = reasons(choices)
    assert f"for {owner(7)}" in words[held]
    assert words[second] == "is in quarantine"
    assert words[third] == "is free"
    assert "part hx1k" in words[other]
    assert words[far] == "is not on card0"


def test_plan_of_a_full_host_fails_as_the_burn_does(rig: Rig) -> None:
    for number in range(2):
        rig.burn(LZO, owner(number))
    _, failure = rig.plan(LZO, owner(2))
    with pytest.raises(errors.NoFreeRegion) as caught:
        rig.burn(LZO, owner(2))
    assert str(failure) == str(caught.value)


def test_plan_for_other_hardware_fails_as_the_burn_does(rig: Rig) -> None:
    rig.images[CRC] = bitstreams.package(target={"board": "other", "part": "software"})
    _, failure = rig.plan(CRC, owner())
    with pytest.raises(errors.NoMatchingHardware) as caught:
        rig.burn(CRC, owner())
    assert str(failure) == str(caught.value)


def test_plan_keeps_a_region_that_was_burnt_from_the_same_file(rig: Rig) -> None:
    held = rig.burn_package(package(rig), owner())
    choices, _ = rig.manager.plan(File(package(rig)), Claim(owner()))
    assert reasons(choices)[held] == "is its owner's already"
