# SPDX-License-Identifier: Apache-2.0
"""Burning and erasing, with a table for hardware: who gets what, and what is left of a failure."""

import io
import itertools
import random
import socket
import time
import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.model import Claim, State
from fpga_regions.package import reader
from fpga_regions.system import locks
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

UNKNOWN = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def rig_of(tmp_path: Path) -> typing.Iterator[typing.Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(*slots: typing.Any) -> Rig:
        rigs.append(Rig(tmp_path / "rig", slots))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.ledger.close()


def test_burnt_region_holds_the_function_for_its_owner(rig: Rig) -> None:
    region = rig.region(rig.burn(LZO, owner()))
    assert (region.state, region.owner, region.image_id) == (State.PROGRAMMED, owner(), LZO)
    assert rig.hardware.loaded[region.id] == region.loaded
    assert [node.name for node in region.nodes] == ["/dev/fpga0"]


def test_burning_the_same_again_gives_the_same_region_and_programs_nothing(rig: Rig) -> None:
    first = rig.burn(LZO, owner())
    assert rig.burn(LZO, owner()) == first
    assert rig.hardware.done == [("program", first)]
    assert rig.fetched == [LZO]


def from_file(rig: Rig, image_id: str = LZO, **change: typing.Any) -> reader.Package:
    """A package that is at hand."""
    data = bitstreams.package(**change) if change else rig.images[image_id]
    return reader.read(io.BytesIO(data), reader.Limits.of(rig.conf))


def test_package_from_a_file_is_burnt_without_an_image_id(rig: Rig) -> None:
    region = rig.region(rig.burn_package(from_file(rig), owner()))
    assert (region.image_id, region.digest) == (None, from_file(rig).digest)
    assert (region.state, rig.fetched) == (State.PROGRAMMED, [])


def test_burning_the_same_file_again_programs_nothing(rig: Rig) -> None:
    first = rig.burn_package(from_file(rig), owner())
    assert rig.burn_package(from_file(rig), owner()) == first
    assert rig.hardware.done == [("program", first)]


@pytest.mark.parametrize(
    "change", [{"core": "crc32"}, {"exposes": [{"kind": "socket", "name": "/dev/other"}]}]
)
def test_burning_another_file_takes_the_place_of_the_first(
    rig: Rig, change: dict[str, typing.Any]
) -> None:
    rig.burn_package(from_file(rig), owner())
    rig.burn_package(from_file(rig, **change), owner())
    assert len([step for step, _ in rig.hardware.done if step == "program"]) == 2
    assert sorted(rig.states()) == ["free", "programmed"]


def test_image_takes_the_place_of_the_same_package_from_a_file(rig: Rig) -> None:
    rig.burn_package(from_file(rig), owner())
    assert rig.region(rig.burn(LZO, owner())).image_id == LZO
    assert rig.region(rig.burn_package(from_file(rig), owner())).image_id is None


def test_programming_that_fails_now_and_then_is_tried_again(rig: Rig) -> None:
    rig.hardware.failing_times = 2
    region = rig.region(rig.burn(LZO, owner()))
    assert region.state == State.PROGRAMMED
    assert [step for step, _ in rig.hardware.done] == ["program"] * 3
    notes = [event.note for event in rig.ledger.events(region.id)]
    assert notes.count("programming again: the board said no") == 2


@pytest.mark.parametrize(
    ("failing", "tries"), [("program", 9), ("time out", 1), ("refuse", 1), ("lie", 1), ("mute", 9)]
)
def test_programming_is_tried_as_often_as_it_may_help(rig: Rig, failing: str, tries: int) -> None:
    rig.hardware.failing = {failing}
    with pytest.raises(errors.RegionError):
        rig.burn(LZO, owner())
    assert [step for step, _ in rig.hardware.done] == ["program"] * tries + ["clear"]


def test_loads_that_fail_at_random_fail_no_burn(rig: Rig) -> None:
    chance, failed = random.Random(15), 0
    for _ in range(40):
        rig.hardware.failing_times = next(n for n in itertools.count() if chance.random() >= 0.3)
        failed += rig.hardware.failing_times
        rig.burn(LZO, owner())
        rig.manager.erase(None, owner())
    assert failed > 10


def test_pauses_between_tries_grow_to_the_option(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    rig.conf.set_override("program_retry_pause", 2.0)
    rig.hardware.failing_times = 6
    rig.burn(LZO, owner())
    assert pauses == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_programming_is_tried_once_where_retries_are_off(rig: Rig) -> None:
    rig.conf.set_override("program_retries", 0)
    rig.hardware.failing_times = 1
    with pytest.raises(errors.ProgrammingFailed):
        rig.burn(LZO, owner())


def test_burning_again_mends_a_region_that_lost_its_function(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    del rig.hardware.loaded[region_id]
    assert rig.burn(LZO, owner()) == region_id
    assert rig.hardware.loaded[region_id].function == "lzo1x_compress"


def test_burning_another_image_programs_the_same_region(rig: Rig) -> None:
    other = rig.burn(LZO, owner(1))
    first = rig.burn(LZO, owner())
    rig.manager.erase(other, owner(1))
    region = rig.region(rig.burn(CRC, owner()))
    assert (region.id, region.function, region.image_id) == (first, "crc32", CRC)
    assert sorted(rig.states()) == ["free", "programmed"]
    assert len(rig.hardware.loaded) == 1


def test_other_image_that_cannot_be_had_leaves_what_the_owner_holds(rig: Rig) -> None:
    region = rig.region(rig.burn(LZO, owner()))
    with pytest.raises(errors.ImageUnavailable):
        rig.burn(UNKNOWN, owner())
    assert rig.region(region.id) == region


def test_burns_without_an_owner_take_a_region_each(rig: Rig) -> None:
    assert rig.burn(LZO) != rig.burn(LZO)


def test_no_free_region_is_told_with_the_count(rig: Rig) -> None:
    rig.burn(LZO, owner(0))
    rig.burn(LZO, owner(1))
    with pytest.raises(errors.NoFreeRegion, match="all 2 that match are taken"):
        rig.burn(LZO, owner(2))


def test_quarantined_regions_are_told_where_none_is_free(rig: Rig) -> None:
    rig.burn(LZO, owner(0))
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.erase(None, owner(0))
    rig.burn(LZO, owner(1))
    with pytest.raises(errors.NoFreeRegion, match="2 that match are taken, 1 of them in quara"):
        rig.burn(LZO, owner(2))


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"board": "emulator", "part": "hx8k"}},
        {"target": {"board": "other", "part": "software"}},
        {"target": {"board": "emulator", "part": "software", "interface": UNKNOWN}},
        {"exposes": [{"kind": "char", "name": "/dev/fpga0"}]},
    ],
)
def test_package_for_other_hardware_is_refused(rig: Rig, change: dict[str, typing.Any]) -> None:
    rig.images[LZO] = bitstreams.package(**change)
    with pytest.raises(errors.NoMatchingHardware, match="no matching hardware found: it is for "):
        rig.burn(LZO, owner())
    assert rig.states() == ["free", "free"]
    assert rig.hardware.done == []


def test_package_goes_to_the_card_that_it_was_made_for(
    rig_of: typing.Callable[..., Rig],
) -> None:
    rig = rig_of(slot(0, part="hx1k"), slot(0, "card1"))
    assert rig.region(rig.burn(LZO, owner())).slot.device == "card1"
    assert rig.states() == ["free", "programmed"]


def test_card_that_is_named_is_taken(rig_of: typing.Callable[..., Rig]) -> None:
    rig = rig_of(slot(0), slot(0, "card1"))
    assert rig.region(rig.burn(LZO, owner(), "card1")).slot.device == "card1"


def test_card_that_is_not_here_is_told(rig: Rig) -> None:
    with pytest.raises(errors.NoMatchingHardware, match="no device card9; here is card0"):
        rig.burn(LZO, owner(), "card9")
    assert rig.fetched == []


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        ("program", errors.ProgrammingFailed),
        ("time out", errors.TimedOut),
        ("lie", errors.WrongFunction),
    ],
)
def test_failed_programming_frees_the_region(
    rig: Rig, failing: str, error: type[errors.RegionError]
) -> None:
    rig.hardware.failing = {failing}
    with pytest.raises(error, match="; the region was cleared") as caught:
        rig.burn(LZO, owner())
    assert caught.value.code in (68, 69, 70)
    assert (rig.states(), rig.hardware.loaded) == (["free", "free"], {})


@pytest.mark.parametrize("clearing", ["clear", "silent"])
def test_failed_programming_that_cannot_be_cleared_goes_into_quarantine(
    rig: Rig, clearing: str
) -> None:
    rig.hardware.failing = {"program", clearing}
    with pytest.raises(errors.ProgrammingFailed, match="clearing it failed, too"):
        rig.burn(LZO, owner())
    assert rig.states() == ["quarantined", "free"]
    assert rig.ledger.held_by(owner()) == []


def test_failed_fetch_leaves_every_region_free(rig: Rig) -> None:
    with pytest.raises(errors.ImageUnavailable):
        rig.burn(UNKNOWN, owner())
    assert (rig.states(), rig.hardware.done) == (["free", "free"], [])


def test_interrupt_in_the_middle_frees_the_region(rig: Rig) -> None:
    def interrupted(*arguments: typing.Any) -> None:
        raise KeyboardInterrupt

    rig.hardware.program = interrupted  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        rig.burn(LZO, owner())
    assert rig.states() == ["free", "free"]


def test_erased_region_is_free_and_holds_nothing(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.manager.erase(region_id, owner())
    assert (rig.states(), rig.hardware.loaded) == (["free", "free"], {})


def test_erasing_by_owner_touches_no_other_owner(rig: Rig) -> None:
    rig.burn(LZO, owner(0))
    other = rig.burn(LZO, owner(1))
    rig.manager.erase(None, owner(0))
    assert list(rig.hardware.loaded) == [other]


def test_erasing_for_an_owner_of_nothing_is_done(rig: Rig) -> None:
    rig.manager.erase(None, owner())
    assert rig.hardware.done == []


def test_erasing_again_is_done_and_touches_nothing(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.manager.erase(region_id, owner())
    done = list(rig.hardware.done)
    rig.manager.erase(region_id, owner())
    rig.manager.erase(region_id, owner())
    assert rig.hardware.done == done


def test_late_erase_does_not_touch_the_next_owner(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner(0))
    rig.manager.erase(region_id, owner(0))
    assert rig.burn(LZO, owner(1)) == region_id
    rig.manager.erase(region_id, owner(0))
    assert rig.region(region_id).owner == owner(1)


def test_region_that_the_owner_never_had_is_unknown_to_it(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner(0))
    with pytest.raises(errors.UnknownRegion, match="has no such region"):
        rig.manager.erase(region_id, owner(1))
    assert rig.region(region_id).state == State.PROGRAMMED


def test_unknown_region_is_told(rig: Rig) -> None:
    with pytest.raises(errors.UnknownRegion, match="unknown region"):
        rig.manager.erase(UNKNOWN)


def test_region_that_is_given_back_and_does_not_erase_is_in_quarantine_and_nobodys(
    rig: Rig,
) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"silent"}
    with pytest.raises(errors.NotErased, match="still answers after it was erased"):
        rig.manager.erase(region_id, owner())
    assert rig.region(region_id).state == State.QUARANTINED
    assert rig.ledger.held_by(owner()) == []


def test_quarantined_region_that_is_erased_by_its_id_is_free(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.erase(region_id, owner())
    rig.hardware.failing = set()
    rig.manager.erase(region_id)
    assert rig.region(region_id).state == State.FREE


@pytest.mark.parametrize("steps", [1, 2])
def test_region_of_a_dead_process_is_freed_by_the_next_look(rig: Rig, steps: int) -> None:
    rig.manager.refresh()
    region = rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    if steps == 2:
        rig.ledger.move(region, State.PROGRAMMING, "")
    rig.manager.regions()
    assert rig.states() == ["free", "free"]
    assert ("clear", region.id) in rig.hardware.done


def test_region_at_work_is_left_alone_while_its_lock_is_held(rig: Rig) -> None:
    rig.manager.refresh()
    region = rig.ledger.claim(rig.ledger.regions()[0].id, Claim(owner()), LZO)
    with locks.held(rig.ledger.lock_path(region.id)):
        rig.manager.regions()
        assert rig.region(region.id) == region
        with pytest.raises(errors.TimedOut, match="for more than 1 seconds"):
            rig.manager.erase(region.id, owner())


def test_lost_function_is_told(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    del rig.hardware.loaded[region_id]
    assert [healthy for _, healthy in rig.manager.regions()] == [False, None]


def test_socket_that_is_still_served_after_erasing_puts_the_region_in_quarantine(
    rig: Rig, tmp_path: Path
) -> None:
    rig.hardware.nodes_at = tmp_path
    region_id = rig.burn(LZO, owner())
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(tmp_path / "fpga0"))
        served.listen()
        with pytest.raises(errors.NotErased, match="fpga0 still answers after it was erased"):
            rig.manager.erase(region_id, owner())
    assert rig.region(region_id).state == State.QUARANTINED


def test_erasing_that_times_out_puts_the_region_in_quarantine(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"clear times out"}
    with pytest.raises(errors.NotErased, match="; the region is in quarantine"):
        rig.manager.erase(region_id, owner())
    assert rig.region(region_id).state == State.QUARANTINED


def test_free_region_in_quarantine_is_given_to_nobody(rig: Rig) -> None:
    rig.manager.refresh()
    first, second = rig.ledger.regions()
    rig.manager.quarantine(first.id, "fan is broken")
    assert rig.burn(LZO, owner()) == second.id
    assert rig.ledger.events(first.id)[-1].note == "fan is broken"


def test_used_region_is_erased_on_its_way_into_quarantine(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.manager.quarantine(region_id, "fan is broken")
    region = rig.region(region_id)
    assert (region.state, rig.hardware.loaded) == (State.QUARANTINED, {})
    assert (region.owner, bool(region.handed_out), len(region.nodes)) == (owner(), True, 1)


def test_used_region_that_does_not_erase_is_in_quarantine_and_told(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.quarantine(region_id, "fan is broken")
    assert rig.region(region_id).state == State.QUARANTINED


def test_region_in_quarantine_takes_another_reason(rig: Rig) -> None:
    rig.manager.refresh()
    region_id = rig.ledger.regions()[0].id
    for reason in ("fan is broken", "fan is ordered"):
        rig.manager.quarantine(region_id, reason)
    assert rig.ledger.events(region_id)[-1].note == "fan is ordered"


def test_released_region_is_erased_and_free(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.erase(region_id, owner())
    rig.hardware.failing = set()
    rig.manager.release(region_id)
    assert (rig.states(), rig.hardware.loaded) == (["free", "free"], {})


def test_region_that_still_does_not_erase_is_not_released(rig: Rig) -> None:
    rig.manager.refresh()
    region_id = rig.ledger.regions()[0].id
    rig.manager.quarantine(region_id, "")
    rig.hardware.failing = {"clear"}
    with pytest.raises(errors.NotErased):
        rig.manager.release(region_id)
    assert rig.region(region_id).state == State.QUARANTINED


def test_releasing_again_is_done_and_touches_nothing(rig: Rig) -> None:
    rig.manager.refresh()
    rig.manager.release(rig.ledger.regions()[0].id)
    assert rig.hardware.done == []


def test_used_region_is_not_released(rig: Rig) -> None:
    region_id = rig.burn(LZO, owner())
    with pytest.raises(errors.UnknownRegion, match="not in quarantine but programmed"):
        rig.manager.release(region_id)
    assert rig.region(region_id).owner == owner()


@pytest.mark.parametrize("verb", ["quarantine", "release"])
def test_unknown_region_is_neither_put_into_quarantine_nor_released(rig: Rig, verb: str) -> None:
    with pytest.raises(errors.UnknownRegion, match="unknown region"):
        getattr(rig.manager, verb)(UNKNOWN, *(["x"] if verb == "quarantine" else []))
