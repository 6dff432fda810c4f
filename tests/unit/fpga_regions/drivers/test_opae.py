# SPDX-License-Identifier: Apache-2.0
"""The opae driver with replayed output of fpgainfo; never run on a card.

The output is written after the vendor's guides and the sources of fpgainfo, not recorded from a
card of ours.
"""

import json
import pathlib
import struct
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga_regions import errors
from fpga_regions.drivers import opae
from fpga_regions.drivers.opae import OpaeDriver
from fpga_regions.model import Loaded
from tests.unit.fpga_regions.drivers.tools import Card, Tool, load_conf

FIRST, SECOND = "0000:3b:00.0", "0000:b1:00.0"
INTERFACE = "a5d72a3c-c8b0-4939-912c-f715e5dc10ca"
OTHER = "9926ab6d-6c92-5a68-aabc-a7d84c545738"
FACTORY = "d8424dc4-a4a3-c413-f89e-433683f9040b"
CRC = "c000c966-0d82-4272-9aef-fe5f84570612"
UNREAD = "00000000-0000-0000-0000-000000000000"
BLANK = "01234567-89ab-cdef-0123-456789abcdef"

CONTROLLER = """Board Management Controller, MAX10 NIOS FW version D.2.0.19
Board Management Controller, MAX10 Build version D.2.0.6
"""
FME = """//****** FME ******//
Object Id                     : 0xEF00000
PCIe s:b:d.f                  : {address}
Device Id                     : 0x0b30
Numa Node                     : 1
Ports Num                     : 01
Bitstream Id                  : 0x23000410010309
Bitstream Version             : 0.2.3
Pr Interface Id               : {interface}
Boot Page                     : user
"""
PORT = """//****** PORT ******//
Object Id                     : 0xEE00000
PCIe s:b:d.f                  : {address}
Device Id                     : 0x0b30
Socket Id                     : 0x00
{word:30}: {accelerator}
"""


def gbs(accelerator: str, interface: str = INTERFACE, **changes: typing.Any) -> bytes:
    """A bitfile as packager makes it."""
    image = {
        "interface-uuid": interface,
        "power": 0,
        "accelerator-clusters": [
            {"name": "core", "total-contexts": 1, "accelerator-type-uuid": accelerator}
        ],
    } | changes
    text = json.dumps({"version": 1, "platform-name": "DCP", "afu-image": image}).encode()
    return b"XeonFPGA\xb7GBSv001" + struct.pack("<I", len(text)) + text + b"the bits"


class Pac:
    """A host with two cards, of which one is configured."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.info, self.conf = Tool(folder / "fpgainfo"), Tool(folder / "fpgaconf")
        self.port = folder / "port.txt"
        self.info.answer("fme", self._cards(FME, interface=INTERFACE))
        self.info.answer("port", then=f"cat {self.port}")
        self.show(FACTORY)
        for number, accelerator in enumerate((CRC, BLANK)):
            (folder / f"after-{number}.txt").write_text(self._port(accelerator))
        self.conf.answer("*.gbs", then=f"cp {folder}/after-0.txt {self.port}")
        self.conf.answer("*blank.gbs", then=f"cp {folder}/after-1.txt {self.port}")
        (folder / "blank.gbs").write_bytes(gbs(BLANK))
        region = folder / "sys/bus/pci/devices" / SECOND / "fpga_region/region1"
        (region / "dfl-port.3").mkdir(parents=True)
        (region / "dfl-fme.1").mkdir()
        (folder / "dev").mkdir()
        (folder / "dev/dfl-port.3").symlink_to("/dev/null")

    def _cards(self, text: str, **values: str) -> str:
        blocks = [text.format(address=FIRST.upper(), **values | {"interface": OTHER})]
        return CONTROLLER + "".join([*blocks, CONTROLLER, text.format(address=SECOND, **values)])

    def _port(self, accelerator: str, word: str = "Accelerator Id") -> str:
        return self._cards(PORT, word=word, accelerator=accelerator)

    def show(self, accelerator: str, word: str = "Accelerator Id") -> None:
        """Have the port show an accelerator."""
        self.port.write_text(self._port(accelerator, word))

    def driver(self, **options: str) -> OpaeDriver:
        """The driver with a card `pac`."""
        defaults = {
            "board": "n3000",
            "part": "arria10",
            "address": SECOND,
            "blank": f"{self.folder}/blank.gbs",
        } | options
        main = {
            "cards": "pac",
            "fpgainfo": self.info.path,
            "fpgaconf": self.conf.path,
            "sysfs": self.folder / "sys",
            "dev": self.folder / "dev",
            "timeout": 2,
        }
        text = "[opae]\n" + "".join(f"{n} = {v}\n" for n, v in main.items())
        text += "[opae:pac]\n" + "".join(f"{n} = {v}\n" for n, v in defaults.items())
        return OpaeDriver("opae", load_conf(self.folder, text))

    def card(self, **options: str) -> Card:
        """The card."""
        return Card(self.driver(**options))


@pytest.fixture
def pac(tmp_path: pathlib.Path) -> Pac:
    return Pac(tmp_path)


def test_card_has_a_region_with_the_interface_that_fpgainfo_shows(pac: Pac) -> None:
    (slot,) = pac.driver().discover()
    assert (slot.device, slot.board, slot.part) == ("pac", "n3000", "arria10")
    assert (slot.interface, slot.kinds, slot.simulated) == (INTERFACE, {"char"}, False)


def test_addresses_are_the_same_in_large_letters(pac: Pac) -> None:
    (slot,) = pac.driver(address=FIRST).discover()
    assert slot.interface == OTHER


def test_bitfile_is_loaded_into_the_card_of_the_address(pac: Pac) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    selection = "--segment 0x0000 --bus 0xb1 --device 0x00 --function 0x0"
    path = f"{card.state_folder()}/{card.region.id}.gbs"
    assert pac.conf.calls() == [[*selection.split(), path]]


@pytest.mark.parametrize("word", ["Accelerator Id", "Accelerator GUID", "Afu Id"])
def test_region_shows_what_was_loaded_while_the_port_shows_its_uuid(pac: Pac, word: str) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    pac.show(CRC.upper(), word)
    loaded = card.read_back()
    assert loaded is not None and loaded.digest == card.package(content=gbs(CRC)).digest
    pac.show(FACTORY, word)
    assert card.read_back() == Loaded(f"accelerator {FACTORY}", "unknown")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 1},
        {"then": "sleep 30"},
        {"output": CONTROLLER},
        {"output": PORT.format(address=FIRST, word="Accelerator Id", accelerator=CRC)},
        {"output": PORT.format(address=SECOND, word="Something Else", accelerator=CRC)},
        {"output": PORT.format(address=SECOND, word="Accelerator Id", accelerator="rubbish")},
        {"output": PORT.format(address=SECOND, word="Accelerator Id", accelerator=UNREAD)},
    ],
)
def test_port_that_does_not_say_what_it_has_is_not_empty(
    pac: Pac, answer: dict[str, typing.Any]
) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    pac.info.answer("port", **answer)
    with pytest.raises(errors.NoAnswer):
        card.read_back()
    with pytest.raises(errors.NotErased):
        card.clear()


def test_damaged_record_says_nothing_until_the_region_is_erased(pac: Pac) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    (record,) = card.state_folder().glob("*.record")
    record.write_text("{")
    with pytest.raises(errors.NoAnswer, match="is damaged"):
        card.read_back()
    card.clear()
    assert card.read_back() is None


def test_accelerator_that_is_shown_after_a_restart_of_the_host_is_what_was_burnt(pac: Pac) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    loaded = card.read_back()
    card.restart_host()
    assert card.read_back() == loaded is not None
    pac.show(FACTORY)
    assert card.read_back() == Loaded(f"accelerator {FACTORY}", "unknown")


def test_bitfile_that_would_look_erased_is_not_loaded(pac: Pac) -> None:
    with pytest.raises(errors.BadPackage, match=f"has the uuid of the blank one, {BLANK}"):
        pac.card().program(content=gbs(BLANK))
    assert pac.conf.calls() == []


def test_node_is_that_of_the_cards_port(pac: Pac) -> None:
    (node,) = pac.card().program(content=gbs(CRC))
    assert (node.kind, node.path, node.name) == ("char", "/dev/null", "/dev/fpga0")


def test_port_without_a_node_is_a_failure(pac: Pac) -> None:
    (pac.folder / "dev/dfl-port.3").unlink()
    with pytest.raises(errors.ProgrammingFailed, match=r"dfl-port\.3 is not there"):
        pac.card().program(1, content=gbs(CRC))


def test_port_that_the_kernel_does_not_list_is_a_failure(pac: Pac) -> None:
    card = pac.card()
    (pac.folder / "sys/bus/pci/devices" / SECOND).rename(pac.folder / "gone")
    with pytest.raises(errors.ProgrammingFailed, match="more char nodes than the region has"):
        card.program(1, content=gbs(CRC))


def test_bitfile_of_another_interface_is_not_loaded(pac: Pac) -> None:
    with pytest.raises(errors.NoMatchingHardware, match=f"for the interface {OTHER}, the card"):
        pac.card().program(content=gbs(CRC, OTHER))
    assert pac.conf.calls() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"the bits",
        b"XeonFPGA\xb7GBSv001",
        b"XeonFPGA\xb7GBSv001\xff\xff\xff\xff{}",
        b"XeonFPGA\xb7GBSv001\x02\0\0\0{}",
        b"XeonFPGA\xb7GBSv001\x02\0\0\0[]",
        b"XeonFPGA\xb7GBSv001\x02\0\0\0\xff\xff",
        gbs("no uuid"),
        gbs(CRC, **{"accelerator-clusters": []}),
        gbs(CRC, **{"interface-uuid": 7}),
    ],
)
def test_bitfile_that_is_no_gbs_is_not_loaded(pac: Pac, content: bytes) -> None:
    with pytest.raises(errors.BadPackage, match="is not a GBS"):
        pac.card().program(content=content)
    assert pac.conf.calls() == []


@given(st.binary(max_size=200), st.integers(0, 300))
def test_description_of_a_bitfile_is_read_or_refused(data: bytes, length: int) -> None:
    head = b"XeonFPGA\xb7GBSv001" + struct.pack("<I", length)
    for content in (data, head + data):
        try:
            opae.describe(content)
        except ValueError:
            continue


def test_failed_load_is_reported_with_the_programs_last_words(pac: Pac) -> None:
    card = pac.card()
    pac.conf.answer("*.gbs", errors="Error writing bitstream to FPGA: resource busy\n", status=5)
    with pytest.raises(errors.ProgrammingFailed, match=r"fpgaconf ended with 5: .* busy"):
        card.program(content=gbs(CRC))


def test_load_after_which_the_port_shows_another_has_failed(pac: Pac) -> None:
    card = pac.card()
    pac.conf.answer("*.gbs")
    with pytest.raises(errors.ProgrammingFailed, match=f"shows the accelerator {FACTORY}, not"):
        card.program(content=gbs(CRC))


def test_load_that_takes_too_long_is_a_time_out(pac: Pac) -> None:
    card = pac.card()
    pac.conf.answer("*.gbs", then="sleep 30")
    with pytest.raises(errors.TimedOut, match="fpgaconf did not end"):
        card.program(1, content=gbs(CRC))


def test_clearing_loads_the_blank_and_sees_that_it_is_there(pac: Pac) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    card.clear()
    assert pac.conf.calls()[-1][-1] == f"{pac.folder}/blank.gbs"
    assert BLANK in pac.port.read_text()
    assert card.read_back() is None


@pytest.mark.parametrize("answer", [{}, {"status": 1}, {"then": "sleep 30"}])
def test_blank_that_does_not_show_is_not_erased(pac: Pac, answer: dict[str, typing.Any]) -> None:
    card = pac.card()
    card.program(content=gbs(CRC))
    pac.conf.answer("*blank.gbs", **answer)
    with pytest.raises(errors.NotErased):
        card.clear(1)


@pytest.mark.parametrize("content", [None, b"no gbs"])
def test_blank_that_cannot_be_read_is_not_erased(pac: Pac, content: bytes | None) -> None:
    card = pac.card()
    (pac.folder / "blank.gbs").unlink()
    if content is not None:
        (pac.folder / "blank.gbs").write_bytes(content)
    with pytest.raises(errors.NotErased):
        card.clear()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"address": "0000:00:00.0"}, "shows no card at 0000:00:00.0"),
        ({"interface": OTHER}, f"has the interface {INTERFACE}, not {OTHER}"),
    ],
)
def test_card_that_is_not_there_or_another_is_not_accessible(
    pac: Pac, options: dict[str, str], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=f"card pac: .*{why}"):
        pac.driver(**options).discover()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 1, "errors": "no FPGA"}, "fpgainfo ended with 1: no FPGA"),
        ({"then": "sleep 30"}, "did not end within 2"),
        ({"output": ""}, "shows no card"),
        ({"output": "//****** FME ******//\nrubbish\n"}, "shows no card"),
        ({"output": FME.format(address=SECOND, interface="rubbish")}, "shows no card"),
    ],
)
def test_fpgainfo_that_does_not_answer_means_no_access(
    pac: Pac, answer: dict[str, typing.Any], why: str
) -> None:
    pac.info.answer("fme", **answer)
    with pytest.raises(errors.NotAccessible, match=why):
        pac.driver().discover()


def test_fpgaconf_that_is_not_installed_is_reported(pac: Pac) -> None:
    text = "[opae]\ncards = a\nfpgaconf = fpgaconf-x\n"
    text += f"[opae:a]\nboard = b\npart = p\naddress = {FIRST}\nblank = /x\n"
    with pytest.raises(errors.NotAccessible, match="driver opae: fpgaconf-x is not installed"):
        OpaeDriver("opae", load_conf(pac.folder, text)).discover()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"address": "b1:00.0"}, "address"),
        ({"address": "0000:B1:00.0"}, "address"),
        ({"blank": ""}, "blank is not set"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    pac: Pac, options: dict[str, str], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        pac.driver(**options)


@pytest.mark.parametrize(
    ("number", "vendor"), [("0x8086\n", "intel"), ("0x1172\n", None), (None, None)]
)
def test_vendor_is_known_by_its_number_on_pcie(
    pac: Pac, number: str | None, vendor: str | None
) -> None:
    if number is not None:
        (pac.folder / "sys/bus/pci/devices" / SECOND / "vendor").write_text(number)
    assert [slot.vendor for slot in pac.driver().discover()] == [vendor]


def test_address_is_that_of_the_card(pac: Pac) -> None:
    assert [slot.address for slot in pac.driver().discover()] == [SECOND]


def test_vendor_that_is_configured_goes_before_the_number(pac: Pac) -> None:
    (pac.folder / "sys/bus/pci/devices" / SECOND / "vendor").write_text("0x8086\n")
    assert [slot.vendor for slot in pac.driver(vendor="acme").discover()] == ["acme"]
