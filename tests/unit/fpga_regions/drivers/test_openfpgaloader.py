# SPDX-License-Identifier: Apache-2.0
"""The openfpgaloader driver with replayed output; test_real_openfpgaloader has the real program.

The output is written after the program's documentation, sources and public reports, not recorded
from a board of ours.
"""

import pathlib
import shutil
import typing

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers.openfpgaloader import OpenFpgaLoaderDriver
from tests.unit.fpga_regions.drivers.tools import Card, Tool, load_conf

FOUND = """empty
Jtag frequency : requested 6.00MHz   -> real 6.00MHz
index 0:
\tidcode 0x362d093
\tmanufacturer xilinx
\tfamily artix a7 35t
\tmodel  xc7a35
\tirlength 6
"""
CHAIN = """index 0:
\tidcode   0x4ba00477
\ttype     ARM cortex A9
\tirlength 4
index 1:
\tidcode 0x13723093
\tmanufacturer xilinx
\tfamily zynq
\tmodel  xc7z007s
\tirlength 6
index 2:
\tidcode 0x13723093
\tmanufacturer xilinx
\tfamily zynq
\tmodel  xc7z007s
\tirlength 6
"""
LOADED = """empty
Jtag frequency : requested 10.00MHz  -> real 10.00MHz
Open file: DONE
Parse file: DONE
load program
Load SRAM: [==================================================] 100.00%
Done
"""
PLAYED = "Jtag frequency : requested 6.00MHz   -> real 6.00MHz\nend of SVF file\n"
NO_CABLE = """unable to open ftdi device: -3 (device not found)
JTAG init failed with: unable to open ftdi device
"""


class Board:
    """A board on USB, as openFPGALoader shows it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.usb = folder / "usb"
        self.plug_in("1-4", serial="210319A", busnum="1", devnum="7")
        self.tool = Tool(folder / "bin" / "openFPGALoader")
        self.tool.answer("*--detect", FOUND)
        self.tool.answer("*--write-sram *", LOADED, then=f"for f; do :; done; cp $f {folder}/in")
        self.tool.answer("*.svf", PLAYED)
        (folder / "blank.bit").write_bytes(b"nothing")

    def put_in(self, maker: str, family: str, width: int = 8) -> None:
        """Have another part on the board."""
        found = FOUND.replace("xilinx", maker).replace("artix a7 35t", family)
        self.tool.answer("*--detect", found.replace("irlength 6", f"irlength {width}"))

    def plug_in(self, port: str, **attributes: str) -> None:
        """Put a device on USB."""
        (self.usb / port).mkdir(parents=True)
        for name, value in attributes.items():
            (self.usb / port / name).write_text(f"{value}\n")

    @property
    def loaded(self) -> bytes:
        """What is in the part."""
        return (self.folder / "in").read_bytes()

    def driver(self, **options: typing.Any) -> OpenFpgaLoaderDriver:
        """The driver with a card `arty0`."""
        defaults = {
            "board": "arty",
            "part": "xc7a35t",
            "loader_board": "arty_a7_35t",
            "serial": "210319A",
            "blank": f"{self.folder}/blank.bit",
            "nodes": "char:/dev/null,char:/dev/zero",
        } | options
        main = {"cards": "arty0", "exec": self.tool.path, "usb": self.usb, "timeout": 2}
        text = "[openfpgaloader]\n" + "".join(f"{n} = {v}\n" for n, v in main.items())
        text += "[openfpgaloader:arty0]\n"
        text += "".join(f"{n} = {v}\n" for n, v in defaults.items() if v is not None)
        return OpenFpgaLoaderDriver("openfpgaloader", load_conf(self.folder, text))

    def card(self, index: int = 0, **options: typing.Any) -> Card:
        """The card."""
        return Card(self.driver(**options), index)


@pytest.fixture
def board(tmp_path: pathlib.Path) -> Board:
    return Board(tmp_path)


def test_board_that_is_plugged_in_has_a_region(board: Board) -> None:
    (slot,) = board.driver().discover()
    assert (slot.device, slot.index, slot.board, slot.part) == ("arty0", 0, "arty", "xc7a35t")
    assert (slot.kinds, slot.simulated) == ({"char"}, False)


def test_parts_are_detected_once_for_each_time_that_a_board_is_plugged_in(board: Board) -> None:
    for _ in range(2):
        board.driver().discover()
    assert len(board.tool.calls()) == 1
    (board.usb / "1-4" / "devnum").write_text("8\n")
    board.driver().discover()
    assert len(board.tool.calls()) == 2


def test_detection_that_failed_is_not_remembered(board: Board) -> None:
    board.tool.answer("*--detect", errors=NO_CABLE, status=1)
    with pytest.raises(errors.NotAccessible, match=r"card arty0: .*unable to open ftdi"):
        board.driver().discover()
    board.tool.answer("*--detect", FOUND)
    assert board.driver().discover()


def test_board_is_found_by_bus_and_device(board: Board) -> None:
    assert board.driver(serial=None, bus_device="001:007").discover()


def test_usb_devices_without_a_serial_are_passed_over(board: Board) -> None:
    board.plug_in("1-3", busnum="1", devnum="2")
    assert board.driver().discover()


def test_board_of_no_serial_and_no_bus_is_taken_to_be_there(board: Board) -> None:
    shutil.rmtree(board.usb)
    assert board.driver(serial=None).discover()


@pytest.mark.parametrize("options", [{"serial": "other"}, {"serial": None, "bus_device": "1:8"}])
def test_board_that_is_not_plugged_in_is_not_accessible(
    board: Board, options: dict[str, typing.Any]
) -> None:
    with pytest.raises(errors.NotAccessible, match="card arty0: there is no USB device with"):
        board.driver(**options).discover()


def test_missing_board_does_not_hide_the_others(board: Board) -> None:
    text = (
        f"[openfpgaloader]\ncards = a, b\nexec = {board.tool.path}\nusb = {board.usb}\n"
        "[openfpgaloader:a]\nboard = x\npart = y\ncable = ft2232\nserial = gone\nblank = /x.bit\n"
        "[openfpgaloader:b]\nboard = x\npart = y\ncable = ft2232\nblank = /x.bit\n"
    )
    driver = OpenFpgaLoaderDriver("openfpgaloader", load_conf(board.folder, text))
    assert [slot.device for slot in driver.discover()] == ["b"]


def test_program_that_is_not_installed_is_reported(board: Board) -> None:
    text = (
        "[openfpgaloader]\ncards = a\nexec = openFPGALoader-of-tomorrow\n"
        "[openfpgaloader:a]\nboard = x\npart = y\ncable = ft2232\nblank = /x.bit\n"
    )
    driver = OpenFpgaLoaderDriver("openfpgaloader", load_conf(board.folder, text))
    with pytest.raises(errors.NotAccessible, match="openFPGALoader-of-tomorrow is not installed"):
        driver.discover()


def test_bitfile_is_loaded_into_memory_and_never_into_flash(board: Board) -> None:
    card = board.card()
    card.program(content=b"these bits")
    assert board.loaded == b"these bits"
    assert board.tool.calls("*flash*") == []
    (call,) = board.tool.calls("*.bit")
    chosen = ["--board", "arty_a7_35t", "--ftdi-serial", "210319A"]
    assert call == [*chosen, "--write-sram", f"{card.state_folder()}/{card.region.id}.bit"]


def test_every_way_to_choose_a_board_is_passed_on(board: Board) -> None:
    board.card(
        cable="ft2232",
        loader_board=None,
        serial_option="--usb-serial-num",
        bus_device="1:7",
        channel=1,
        frequency=3000000,
        chain="0",
    ).program()
    selection = (
        "--cable ft2232 --usb-serial-num 210319A --busdev-num 1:7 --ftdi-channel 1 --freq 3000000"
    )
    assert board.tool.calls()[0] == [*selection.split(), "--index-chain", "0", "--detect"]


def test_part_is_detected_before_it_is_programmed_and_asked_whether_it_started(
    board: Board,
) -> None:
    card = board.card()
    board.tool.forget()
    card.program()
    svf = f"{card.state_folder()}/{card.region.id}.svf"
    assert [call[4] for call in board.tool.calls()] == ["--detect", "--write-sram", svf]
    assert not pathlib.Path(svf).exists()


def test_loaded_part_shows_what_was_loaded(board: Board) -> None:
    card = board.card()
    card.program()
    loaded, package = card.read_back(), card.package()
    assert loaded is not None
    assert (loaded.function, loaded.digest) == (package.manifest.function, package.digest)


def test_card_at_work_is_not_disturbed_by_a_look_at_it(board: Board) -> None:
    card = board.card()
    card.program()
    board.tool.forget()
    driver = typing.cast(OpenFpgaLoaderDriver, card.driver)
    with (
        driver.card_locked("arty0", Deadline(1)),
        pytest.raises(errors.NoAnswer, match="another process works on the card"),
    ):
        card.read_back()
    assert board.tool.calls() == []


def test_each_place_in_the_chain_is_a_region(board: Board) -> None:
    board.tool.answer("*--detect", CHAIN)
    card = board.card(1, chain="2,1")
    card.program()
    assert [slot.index for slot in card.slots] == [0, 1]
    assert board.tool.calls("*--write-sram*")[0][4:6] == ["--index-chain", "1"]


@pytest.mark.parametrize("idcode", ["0x0362D093", "0x1362D093"])
def test_part_of_any_revision_with_the_configured_idcode_is_taken(
    board: Board, idcode: str
) -> None:
    board.card(idcode=idcode).program()
    assert board.loaded


def test_part_of_another_idcode_has_no_region_and_is_not_programmed(board: Board) -> None:
    with pytest.raises(errors.NotAccessible, match="idcode 0x362d093, not 0x13723093"):
        board.driver(idcode="0x13723093").discover()
    card = board.card(idcode="0x362d093")
    board.tool.answer("*--detect", CHAIN)
    with pytest.raises(errors.ProgrammingFailed, match="idcode 0x4ba00477, not 0x362d093"):
        card.program()
    assert board.tool.calls("*--write-sram*") == []


def test_place_without_a_part_is_reported(board: Board) -> None:
    with pytest.raises(errors.NotAccessible, match="no part at place 3 of the chain"):
        board.driver(chain="3").discover()


@pytest.mark.parametrize("output", ["", "index 0:\n", "index 0:\n\tmodel x\n", "\udcff"])
def test_detection_that_makes_no_sense_is_a_failure(board: Board, output: str) -> None:
    card = board.card()
    board.tool.answer("*--detect", output.encode("ascii", "replace").decode())
    with pytest.raises(errors.ProgrammingFailed, match="detects no part"):
        card.program()


def test_failed_load_is_reported_with_the_programs_last_words(board: Board) -> None:
    card = board.card()
    message = "Error: Failed to program FPGA: std::exception\n"
    board.tool.answer("*--write-sram *", LOADED, message, status=1)
    with pytest.raises(errors.ProgrammingFailed, match="ended with 1: Error: Failed to program"):
        card.program()
    with pytest.raises(errors.NoAnswer):
        card.read_back()


def test_load_that_takes_too_long_is_a_time_out(board: Board) -> None:
    card = board.card()
    board.tool.answer("*--write-sram *", then="sleep 30")
    with pytest.raises(errors.TimedOut, match="openFPGALoader did not end within 1 seconds"):
        card.program(1)


def test_card_on_which_another_works_too_long_is_a_time_out(board: Board) -> None:
    card = board.card()
    driver = typing.cast(OpenFpgaLoaderDriver, card.driver)
    with driver.card_locked("arty0", Deadline(1)):
        with pytest.raises(errors.TimedOut, match="at work for another"):
            card.program(0.2)
        with pytest.raises(errors.NotErased, match="at work for another"):
            card.clear(0.2)


def test_clearing_loads_the_blank(board: Board) -> None:
    card = board.card()
    card.program()
    card.clear()
    assert board.loaded == b"nothing"
    assert card.read_back() is None


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("*--detect", {"errors": NO_CABLE, "status": 1}),
        ("*--write-sram *", {"errors": "Error: no\n", "status": 1}),
        ("*--write-sram *", {"output": "Fail\n"}),
    ],
)
def test_blank_that_does_not_load_is_not_erased(
    board: Board, pattern: str, answer: dict[str, typing.Any]
) -> None:
    card = board.card()
    card.program()
    board.tool.answer(pattern, **answer)
    with pytest.raises(errors.NotErased):
        card.clear()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"loader_board": None}, "needs loader_board, cable, or both"),
        ({"blank": None}, "blank is not set"),
        ({"blank": "/x.bin"}, r"blank must end in \.bit"),
        ({"file_type": "svf"}, "file_type"),
        ({"idcode": "0x0362d0930"}, "idcode"),
        ({"bus_device": "1:2:3"}, "bus_device"),
        ({"chain": "first"}, "chain"),
        ({"channel": "9"}, "channel"),
        ({"part": None}, "part is not set"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    board: Board, options: dict[str, typing.Any], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        board.driver(**options)
