# SPDX-License-Identifier: Apache-2.0
"""What the command driver concludes from how many regions a program counts in use, and what not."""

import pathlib
import threading

import pytest

from fpga_regions import errors
from fpga_regions.model import Loaded
from tests.support.host import wait_until
from tests.unit.fpga_regions.drivers.test_command import Wrapped
from tests.unit.fpga_regions.drivers.tools import Card


class Counting:
    """A program that keeps what it burnt in a folder, a file for each function, and counts it."""

    def __init__(self, folder: pathlib.Path, total: int = 2) -> None:
        self.wrapped = Wrapped(folder)
        self.tool = self.wrapped.tool
        self.holds = folder / "holds"
        self.holds.mkdir()
        count = f'echo "Used regions: $(ls {self.holds} | wc -l)/{total}"'
        self.tool.answer("status", then=count)
        names = f"n=$(ls {self.holds} | wc -l); touch {self.holds}/r$n; echo r$n"
        self.tool.answer("burn *", then=names)
        self.tool.answer("erase *", then=f"rm -f {self.holds}/$2")

    def card(self, index: int = 0, **options: str) -> Card:
        """A region of the card."""
        return Card(self.wrapped.driver(**options), index)


@pytest.fixture
def counting(tmp_path: pathlib.Path) -> Counting:
    return Counting(tmp_path)


def test_each_of_two_regions_shows_what_was_burnt_into_it(counting: Counting) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    assert second.read_back() is None
    second.program(content=b"other bits")
    read = [first.read_back(), second.read_back()]
    assert read[0] is not None and read[1] is not None and read[0].digest != read[1].digest


def test_nobody_knows_which_region_is_lost_where_fewer_are_in_use_than_were_burnt(
    counting: Counting,
) -> None:
    cards = [counting.card(index) for index in range(2)]
    for card in cards:
        card.program()
    (counting.holds / "r0").unlink()
    for card in cards:
        with pytest.raises(errors.NoAnswer, match="2 regions of the card were burnt, and 1 are in"):
            card.read_back()
    (counting.holds / "r1").unlink()
    assert [card.read_back() for card in cards] == [None, None]


def test_region_that_somebody_else_burnt_is_foreign_where_all_are_in_use(
    counting: Counting,
) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    (counting.holds / "theirs").touch()
    assert second.read_back() == Loaded("something that is not on record", "unknown")


def test_region_that_somebody_else_burnt_may_be_any_where_one_is_left(
    tmp_path: pathlib.Path,
) -> None:
    counting = Counting(tmp_path, total=3)
    counting.card(0).program()
    (counting.holds / "theirs").touch()
    with pytest.raises(errors.NoAnswer, match="2 regions of the card are in use, and 1 are on rec"):
        counting.card(1).read_back()


def test_erased_region_is_empty_beside_one_that_somebody_else_burnt(tmp_path: pathlib.Path) -> None:
    counting = Counting(tmp_path, total=3)
    (counting.holds / "theirs").touch()
    card = counting.card(0)
    card.program()
    assert card.read_back() is not None
    card.clear()
    assert card.read_back() is None


@pytest.mark.parametrize("status", [0, 33])
def test_erase_that_does_not_lower_the_count_is_not_erased(counting: Counting, status: int) -> None:
    card = counting.card()
    card.program()
    counting.tool.answer("erase *", errors="Error: unknown region\n", status=status)
    with pytest.raises(errors.NotErased, match=f"ended with {status}: .* in use, as before"):
        card.clear()
    assert card.read_back() is not None


def test_erase_of_a_lost_region_beside_one_in_use_is_not_erased(counting: Counting) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    second.program()
    (counting.holds / "r0").unlink()
    counting.tool.answer("erase r0", errors="Error: unknown region\n", status=33)
    with pytest.raises(errors.NotErased, match="1 regions of the card are in use, as before"):
        first.clear()


def test_erase_by_number_of_what_nobody_knows_must_leave_no_more_than_is_known(
    counting: Counting,
) -> None:
    first, second = counting.card(0, erase="wipe {index}"), counting.card(1, erase="wipe {index}")
    first.program()
    (counting.holds / "theirs").touch()
    counting.tool.answer("wipe 1")
    with pytest.raises(errors.NotErased, match="its identifier is not known"):
        second.clear()
    counting.tool.answer("wipe 1", then=f"rm {counting.holds}/theirs")
    second.clear()
    assert second.read_back() is None


def test_burn_that_fails_and_burns_all_the_same_is_not_erased(counting: Counting) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    counting.tool.answer("burn *", status=1, then=f"touch {counting.holds}/half")
    with pytest.raises(errors.ProgrammingFailed):
        second.program()
    with pytest.raises(errors.NoAnswer, match="nobody knows how it ended"):
        second.read_back()
    with pytest.raises(errors.NotErased, match="its identifier is not known"):
        second.clear()


def test_burn_beside_a_lost_region_that_fails_and_burns_all_the_same_is_not_erased(
    counting: Counting,
) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    (counting.holds / "r0").unlink()
    counting.tool.answer("burn *", status=1, then=f"touch {counting.holds}/half")
    with pytest.raises(errors.ProgrammingFailed):
        second.program()
    with pytest.raises(errors.NotErased, match="its identifier is not known"):
        second.clear()


def test_burn_that_prints_the_identifier_of_another_region_has_failed(counting: Counting) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    counting.tool.answer("burn *", "r0\n")
    with pytest.raises(errors.ProgrammingFailed, match="the identifier of another region: 'r0'"):
        second.program()
    assert first.read_back() is not None


def test_damaged_record_of_a_neighbour_says_nothing_while_something_is_in_use(
    counting: Counting,
) -> None:
    first, second = counting.card(0), counting.card(1)
    first.program()
    (record,) = first.state_folder().glob("*.record")
    record.write_text("{")
    with pytest.raises(errors.NoAnswer, match="is damaged"):
        second.read_back()
    (counting.holds / "r0").unlink()
    assert second.read_back() is None


@pytest.mark.parametrize("restarted", [False, True])
def test_regions_of_a_card_that_lost_its_power_are_burnt_again_one_by_one(
    counting: Counting, restarted: bool
) -> None:
    first, second = counting.card(0), counting.card(1)
    for card in (first, second):
        card.program()
    for function in counting.holds.iterdir():
        function.unlink()
    if restarted:
        first.restart_host()
    first.program()
    assert first.read_back() is not None
    assert second.read_back() is None
    second.program()
    assert first.read_back() is not None
    assert second.read_back() is not None


def test_look_beside_a_burn_that_is_not_on_record_yet_waits_for_it(tmp_path: pathlib.Path) -> None:
    counting = Counting(tmp_path, total=3)
    first, second = counting.card(0), counting.card(1)
    first.program()
    first.clear()
    go = tmp_path / "go"
    counting.tool.answer(
        "burn *", "r0\n", then=f"touch {counting.holds}/r0; until [ -e {go} ]; do sleep 0.05; done"
    )
    burning = threading.Thread(target=second.program)
    burning.start()
    wait_until((counting.holds / "r0").exists)
    threading.Timer(0.5, go.touch).start()
    assert first.read_back() is None
    assert go.exists()
    burning.join()
    assert second.read_back() is not None
