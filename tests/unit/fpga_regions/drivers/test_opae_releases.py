# SPDX-License-Identifier: Apache-2.0
"""What releases of fpgainfo print, and what the opae driver makes of it; never run on a card."""

import pathlib

import pytest

from fpga_regions import errors
from fpga_regions.model import Loaded
from tests.unit.fpga_regions.drivers.test_opae import (
    BLANK,
    CRC,
    FIRST,
    FME,
    INTERFACE,
    OTHER,
    PORT,
    SECOND,
    UNREAD,
    Pac,
)

RELEASES = {
    "1.0": """//****** {what} ******//
Class Path             : /sys/class/fpga/intel-fpga-dev.0/intel-fpga-{what}.0
Device Path            : /sys/devices/pci0000:ae/0000:ae:00.0/0000:b1:00.0/fpga
Bus                    : 0xB1
Device                 : 0x00
Function               : 0x00
Device Id              : 0x09C4
{field:22} : {value}


""",
    "1.1": """Board Management Controller, microcontroller FW version 26889
Last Power Down Cause: POK_CORE
//****** {what} ******//
Object Id                     : 0xF100000
PCIe s:b:d:f                  : 0000:B1:00:0
Device Id                     : 0x09C4
{field:29} : {value}
""",
    "1.3.6": """//****** {what} ******//
Object Id                     : 0xF100000
PCIe s:b:d.f                  : 0000:b1:00.0
Device Id                     : 0x0b30
Numa Node                     : 1
Ports Num                     : 01
{field:29} : {value}
Boot Page                     : user
""",
    "2.0": """Board Management Controller, MAX10 NIOS FW version: D.2.1.24
Board Management Controller, MAX10 Build version: D.2.0.7
//****** {what} ******//
Object Id                        : 0xEF00000
PCIe s:b:d.f                     : 0000:B1:00.0
Device Id                        : 0x0B30
Socket Id                        : 0x00
{field:32} : {value}
//****** Intel C827 Retimer ******//
Port0 25G                        : Up
Retimer A Version                : 101c.1064
""",
    "2.14": """Intel Acceleration Development Platform N6001
Board Management Controller NIOS FW version: 3.15.0
//****** {what} ******//
Interface                        : DFL
Object Id                        : 0xEF00000
PCIe s:b:d.f                     : 0000:B1:00.0
Vendor Id                        : 0x8086
Device Id                        : 0xBCCE
SubVendor Id                     : 0x8086
SubDevice Id                     : 0x1771
Socket Id                        : 0x00
{field:32} : {value}
Boot Page                        : user1
User1 Image Info                 : None
""",
}
_ACCELERATOR_OF = {"1.0": "Afu Id", "1.1": "Accelerator Id", "1.3.6": "Accelerator Id"}


@pytest.fixture
def pac(tmp_path: pathlib.Path) -> Pac:
    return Pac(tmp_path)


@pytest.mark.parametrize("release", RELEASES)
def test_output_of_each_release_is_understood(pac: Pac, release: str) -> None:
    text = RELEASES[release]
    field = _ACCELERATOR_OF.get(release, "Accelerator GUID")
    pac.info.answer("fme", text.format(what="FME", field="Pr Interface Id", value=INTERFACE))
    pac.info.answer("port", text.format(what="PORT", field=field, value=BLANK.upper()))
    card = pac.card()
    assert [(s.device, s.interface) for s in card.slots] == [("pac", INTERFACE)]
    assert card.read_back() is None
    pac.info.answer("port", text.format(what="PORT", field=field, value=CRC))
    assert card.read_back() == Loaded(f"accelerator {CRC}", "unknown")


@pytest.mark.parametrize(
    "bad",
    [
        FME.format(address=FIRST, interface="rubbish"),
        FME.format(address=FIRST, interface=UNREAD),
        FME.format(address="rubbish", interface=OTHER),
        FME.format(address=FIRST, interface=OTHER).replace("PCIe s:b:d.f", "PCIe"),
        "//****** FME ******//\n",
    ],
)
def test_bad_record_of_one_card_hides_no_other(pac: Pac, bad: str) -> None:
    pac.info.answer("fme", bad + FME.format(address=SECOND, interface=INTERFACE))
    assert [slot.interface for slot in pac.driver().discover()] == [INTERFACE]


def test_bad_accelerator_of_one_card_hides_no_other(pac: Pac) -> None:
    bad = PORT.format(address=FIRST, word="Accelerator Id", accelerator="rubbish")
    good = PORT.format(address=SECOND, word="Accelerator Id", accelerator=BLANK)
    pac.info.answer("port", bad + good)
    assert pac.card().read_back() is None


def test_card_whose_accelerators_are_at_other_functions_only_has_no_region(pac: Pac) -> None:
    functions = [SECOND.replace(".0", f".{number}") for number in (1, 2)]
    ports = [
        PORT.format(address=one, word="Accelerator GUID", accelerator=CRC) for one in functions
    ]
    own = PORT.format(address=SECOND, word="Nothing", accelerator="none")
    pac.info.answer("port", own + "".join(ports))
    with pytest.raises(errors.NotAccessible, match=f"and none at {SECOND}: .* not be verified"):
        pac.driver().discover()


def test_card_whose_port_is_silent_for_now_keeps_its_region(pac: Pac) -> None:
    pac.info.answer("port", PORT.format(address=SECOND, word="Nothing", accelerator="none"))
    assert [slot.device for slot in pac.driver().discover()] == ["pac"]
