# SPDX-License-Identifier: Apache-2.0
"""Which region a burn claims, and when, while other processes claim, too."""

import contextlib
import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.ledger.ledger import NotFree, OwnerHasRegion
from fpga_regions.model import Claim, Region, State
from fpga_regions.package import reader
from fpga_regions.system import locks
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot


@contextlib.contextmanager
def first_fetch(rig: Rig, event: typing.Callable[[], object]) -> typing.Iterator[None]:
    """Have something happen while the first package is fetched."""
    real, events = rig.fetch, [event]

    def fetch(image_id: str) -> reader.Package:
        if events:
            events.pop()()
        return real(image_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig, "fetch", fetch)
        yield


@pytest.fixture
def narrow(tmp_path: Path) -> typing.Iterator[Rig]:
    """A host with one region."""
    rig = Rig(tmp_path / "narrow", [slot(0)])
    yield rig
    rig.ledger.close()


def test_nothing_is_claimed_while_a_package_is_fetched(rig: Rig) -> None:
    states: list[str] = []
    with first_fetch(rig, lambda: states.extend(rig.states())):
        rig.burn(LZO, owner())
    assert states == ["free", "free"]


def test_full_host_fetches_nothing(narrow: Rig) -> None:
    narrow.burn(LZO, owner(0))
    narrow.fetched.clear()
    with pytest.raises(errors.NoFreeRegion):
        narrow.burn(CRC, owner(1))
    assert narrow.fetched == []


def test_last_region_may_go_to_another_owner_while_a_package_is_fetched(narrow: Rig) -> None:
    with (
        first_fetch(narrow, lambda: narrow.burn(CRC, owner(1))),
        pytest.raises(errors.NoFreeRegion, match="all 1 that match are taken"),
    ):
        narrow.burn(LZO, owner(0))
    (region,) = narrow.ledger.regions()
    assert (region.owner, region.state) == (owner(1), State.PROGRAMMED)


def test_owner_that_burns_twice_at_once_gets_one_region(narrow: Rig) -> None:
    burnt: list[str] = []
    with first_fetch(narrow, lambda: burnt.append(narrow.burn(LZO, owner()))):
        assert [narrow.burn(LZO, owner())] == burnt
    assert [step for step, _ in narrow.hardware.done].count("program") == 1


@pytest.mark.parametrize("refused", [False, True], ids=["taken", "refused by its board"])
def test_slow_burn_leaves_the_region_that_its_owner_got_meanwhile(rig: Rig, refused: bool) -> None:
    burnt: list[str] = []

    def faster() -> None:
        burnt.append(rig.burn(CRC, owner()))
        if refused:
            rig.hardware.failing.add("refuse")

    with (
        first_fetch(rig, faster),
        pytest.raises(errors.HandedOut, match="nothing was changed"),
    ):
        rig.burn(LZO, owner())
    region = rig.region(burnt[0])
    assert (region.state, region.image_id, region.lost) == (State.PROGRAMMED, CRC, None)
    assert [step for step, _ in rig.hardware.done].count("program") == 1
    assert sorted(rig.states()) == ["free", "programmed"]


def test_region_of_a_process_that_died_during_the_download_is_recovered(narrow: Rig) -> None:
    def dies() -> None:
        (region,) = narrow.ledger.regions()
        narrow.ledger.claim(region.id, Claim(owner(5)), CRC)

    with first_fetch(narrow, dies):
        narrow.burn(LZO, owner())
    (region,) = narrow.ledger.regions()
    assert (region.owner, region.state) == (owner(), State.PROGRAMMED)


def test_region_whose_driver_is_not_configured_is_not_recovered(narrow: Rig) -> None:
    gone = slot(1, driver="gone")

    def dies() -> None:
        narrow.ledger.register([slot(0), gone])
        (region,) = (one for one in narrow.ledger.regions() if one.slot == gone)
        narrow.ledger.claim(region.id, Claim(owner(5)), CRC)

    with first_fetch(narrow, dies):
        narrow.burn(LZO, owner())
    states = {region.slot.driver: region.state for region in narrow.ledger.regions()}
    assert states == {slot(0).driver: State.PROGRAMMED, "gone": State.REQUESTED}


def test_region_that_others_claim_first_is_passed_over(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.manager.refresh()
    first, second = rig.ledger.regions()
    claim = rig.ledger.claim

    def claimed(region_id: str, *arguments: typing.Any) -> Region:
        if region_id == first.id:
            raise NotFree
        return claim(region_id, *arguments)

    monkeypatch.setattr(rig.ledger, "claim", claimed)
    assert rig.burn(LZO, owner()) == second.id


def test_owner_that_claims_elsewhere_first_gets_one_region(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.manager.refresh()
    _, second = rig.ledger.regions()
    claim = rig.ledger.claim

    def claimed(*_arguments: typing.Any) -> typing.NoReturn:
        monkeypatch.undo()
        # As another process of the same owner that has died since.
        claim(second.id, Claim(owner()), LZO)
        raise OwnerHasRegion

    monkeypatch.setattr(rig.ledger, "claim", claimed)
    burnt = rig.region(rig.burn(LZO, owner()))
    assert (burnt.owner, burnt.state) == (owner(), State.PROGRAMMED)
    assert rig.states().count("free") == 1


def test_region_whose_lock_is_held_too_long_is_a_timeout(narrow: Rig) -> None:
    narrow.manager.refresh()
    (region,) = narrow.ledger.regions()
    with (
        locks.held(narrow.ledger.lock_path(region.id)),
        pytest.raises(errors.TimedOut, match="lock_timeout"),
    ):
        narrow.burn(LZO, owner())
    assert narrow.states() == ["free"]
