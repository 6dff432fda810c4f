# SPDX-License-Identifier: Apache-2.0
"""By which signs the openfpgaloader driver takes a part as loaded, as empty, and as unknown."""

import pathlib
import typing

import pytest

from fpga_regions import errors
from tests.unit.fpga_regions.drivers.test_openfpgaloader import (
    CHAIN,
    LOADED,
    NO_CABLE,
    PLAYED,
    Board,
)

DONE_LOW = """TDO value 11 isn't the one expected: 20
Cannot proceed because of error(s) at line 2
"""
BAR = f"Load SRAM: [{'=' * 50}] 100.00%"


@pytest.fixture
def board(tmp_path: pathlib.Path) -> Board:
    return Board(tmp_path)


@pytest.mark.parametrize(
    ("maker", "family", "file_type", "why"),
    [
        ("altera", "cyclone V", "rbf", "does not print whether parts of altera start: set check"),
        ("efinix", "Trion", "hex", "does not print whether parts of efinix start"),
        ("xilinx", "Virtex UltraScale", "bit", None),
        ("xilinx", "artix a7 35t", "rbf", "does not load rbf files into the memory"),
        ("lattice", "ECP5", "fs", "does not load fs files into the memory"),
        ("altera", "MAX 10", "rbf", "does not load rbf files into the memory"),
        ("colognechip", "GateMate Series", "cfg", None),
        ("Gowin", "GW1N", "fs", None),
        ("", "", "bit", "does not load bit files into the memory"),
    ],
)
def test_part_that_can_never_be_burnt_has_no_region(
    board: Board, maker: str, family: str, file_type: str, why: str | None
) -> None:
    board.put_in(maker, family)
    driver = board.driver(file_type=file_type, blank=f"{board.folder}/blank.{file_type}")
    if why is None:
        assert driver.discover()
        return
    with pytest.raises(errors.NotAccessible, match=why):
        driver.discover()


def test_part_of_another_kind_than_an_fpga_has_no_region(board: Board) -> None:
    board.tool.answer("*--detect", CHAIN)
    with pytest.raises(errors.NotAccessible, match=r"idcode 0x4ba00477 \(unknown maker"):
        board.driver(chain="0").discover()
    assert [slot.index for slot in board.driver(chain="0,1").discover()] == [1]


def test_refusal_of_a_part_is_not_remembered(board: Board) -> None:
    board.put_in("altera", "cyclone V")
    with pytest.raises(errors.NotAccessible):
        board.driver(serial=None).discover()
    board.put_in("lattice", "ECP5")
    assert board.driver(serial=None).discover()


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("*--detect", {"output": CHAIN}),
        ("*--detect", {"output": ""}),
        ("*--detect", {"errors": NO_CABLE, "status": 1}),
        ("*--detect", {"then": "sleep 30"}),
        ("*.svf", {"errors": NO_CABLE, "status": 1}),
        ("*.svf", {"errors": DONE_LOW.replace("line 2", "line 1"), "status": 1}),
        ("*.svf", {}),
    ],
)
def test_part_that_is_another_or_does_not_answer_says_nothing(
    board: Board, pattern: str, answer: dict[str, typing.Any]
) -> None:
    card = board.card()
    card.program()
    board.tool.answer(pattern, **answer)
    with pytest.raises(errors.NoAnswer):
        card.read_back()


def test_part_that_is_not_configured_any_more_is_empty(board: Board) -> None:
    card = board.card()
    card.program()
    board.tool.answer("*.svf", errors=DONE_LOW, status=1)
    assert card.read_back() is None


def test_part_of_which_nothing_is_on_record_says_nothing(board: Board) -> None:
    with pytest.raises(errors.NoAnswer, match="none is on record"):
        board.card().read_back()


def test_what_was_loaded_before_a_restart_of_the_host_counts_as_lost(board: Board) -> None:
    card = board.card()
    card.program()
    card.restart_host()
    assert card.read_back() is None
    board.tool.answer("*--detect", errors=NO_CABLE, status=1)
    with pytest.raises(errors.NoAnswer):
        card.read_back()


def test_erased_part_stays_so_over_a_restart_of_the_host(board: Board) -> None:
    card = board.card()
    card.clear()
    card.restart_host()
    assert card.read_back() is None


def test_board_that_was_unplugged_meanwhile_says_nothing(board: Board) -> None:
    card = board.card()
    card.program()
    (board.usb / "1-4" / "devnum").write_text("8\n")
    with pytest.raises(errors.NoAnswer, match="was unplugged since"):
        card.read_back()
    card.clear()
    assert card.read_back() is None


@pytest.mark.parametrize(
    "output",
    [
        "Load SRAM: [=====     ] 50.00%\nFail\n",
        "Error: Failed to claim cable\n",
        "mismatch between target's idcode and bitstream idcode\n",
    ],
)
def test_load_that_fails_and_ends_with_zero_has_failed(board: Board, output: str) -> None:
    card = board.card()
    board.tool.answer("*--write-sram *", output)
    with pytest.raises(errors.ProgrammingFailed):
        card.program()


@pytest.mark.parametrize("output", ["", "Open file DONE\nParse file DONE\n", LOADED[:-30]])
def test_load_that_says_nothing_of_a_whole_bitfile_has_failed(board: Board, output: str) -> None:
    card = board.card()
    board.tool.answer("*--write-sram *", output)
    with pytest.raises(errors.ProgrammingFailed, match="does not say that it sent the bitfile"):
        card.program()
    with pytest.raises(errors.NotErased, match="does not say that it sent the bitfile"):
        card.clear()


def test_part_that_does_not_start_has_failed_though_the_load_ended_with_zero(board: Board) -> None:
    card = board.card()
    board.tool.answer("*.svf", errors=DONE_LOW, status=1)
    with pytest.raises(errors.ProgrammingFailed, match="the part did not start"):
        card.program()
    with pytest.raises(errors.NotErased, match="the part did not start"):
        card.clear()


#: What is printed by a load after which a part has started, and by one after which it has not.
SIGNS = [
    pytest.param(
        "xilinx",
        "kintexusp",
        12,
        BAR + "\n\nDone\nShift IR 35\nir: 1 isc_done 1 isc_ena 0 init 1 done 1\n",
        True,
        id="xilinx 0.13",
    ),
    pytest.param(
        "xilinx",
        "kintexusp",
        12,
        BAR + "\n\nDone\nShift IR 11\nir: 1 isc_done 0 isc_ena 0 init 1 done 0\n",
        False,
        id="xilinx 0.13, low",
    ),
    pytest.param("xilinx", "kintexusp", 12, BAR + "\nDone\n", False, id="xilinx 0.12"),
    pytest.param(
        "lattice",
        "ECP5",
        8,
        "SRAM erase: DONE\n" + BAR + "\nDone\nDisable configuration: DONE\n",
        True,
        id="lattice",
    ),
    pytest.param(
        "lattice",
        "ECP5",
        8,
        "Error in previous bitstream execution. REFRESH: DONE\n"
        + BAR
        + "\nDone\nDisable configuration: DONE\n",
        True,
        id="lattice 0.12",
    ),
    pytest.param("lattice", "ECP5", 8, BAR + "\nDone\n", False, id="lattice, cut"),
    pytest.param(
        "Gowin",
        "GW1N",
        8,
        "erase SRAM Done\n" + BAR.replace("Load", "Flash") + "\nDone\n",
        True,
        id="gowin 0.10",
    ),
    pytest.param(
        "Gowin", "GW1N", 8, "erase SRAM DONE\n" + BAR + "\nDone\n", False, id="gowin 0.12, cut"
    ),
    pytest.param(
        "Gowin",
        "GW1N",
        8,
        "erase SRAM DONE\nLoad SRAM " + BAR + "\nDone\nDONE\n",
        True,
        id="gowin 0.12",
    ),
    pytest.param(
        "Gowin",
        "GW1N",
        8,
        "erase SRAM DONE\n" + BAR + "\nDone\nFAIL\n",
        False,
        id="gowin 0.12, low",
    ),
    pytest.param(
        "Gowin",
        "GW1N",
        8,
        BAR + "\nDone\nDONE\nCRC check : FAIL\n",
        False,
        id="gowin 0.12, other sum",
    ),
    pytest.param(
        "colognechip",
        "GateMate",
        6,
        BAR + "\nDone\nWait for CFG_DONE DONE\n",
        True,
        id="colognechip",
    ),
    pytest.param(
        "colognechip",
        "GateMate",
        6,
        BAR + "\nDone\nWait for CFG_DONE FAIL\n",
        False,
        id="colognechip, low",
    ),
    pytest.param("colognechip", "GateMate", 6, BAR + "\nDone\n", False, id="colognechip, cut"),
]


@pytest.mark.parametrize(("maker", "family", "width", "output", "started"), SIGNS)
def test_load_succeeds_by_the_sign_of_the_parts_maker_and_the_release(
    board: Board, maker: str, family: str, width: int, output: str, started: bool
) -> None:
    file_type = "fs" if maker == "Gowin" else "bit"
    board.put_in(maker, family, width)
    card = board.card(file_type=file_type, blank=f"{board.folder}/blank.{file_type}")
    board.tool.answer("*--write-sram *", output)
    if started:
        card.program()
        card.clear()
        return
    with pytest.raises(errors.ProgrammingFailed):
        card.program()
    with pytest.raises(errors.NotErased):
        card.clear()


def test_check_of_the_operator_shows_the_start_of_parts_that_print_nothing(board: Board) -> None:
    board.put_in("altera", "cyclone V", 10)
    check = board.folder / "check.svf"
    check.write_text("SIR 10 TDI (004);\n")
    blank = f"{board.folder}/blank.rbf"
    card = board.card(file_type="rbf", blank=blank, check=str(check))
    board.tool.answer("*.svf", PLAYED, then=f"for f; do :; done; cp $f {board.folder}/played")
    card.program()
    assert (board.folder / "played").read_text() == check.read_text()
    board.tool.answer("*.svf", errors="Error opening svf file\n")
    with pytest.raises(errors.ProgrammingFailed, match="the part did not start"):
        card.program()
