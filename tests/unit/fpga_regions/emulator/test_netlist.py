# SPDX-License-Identifier: Apache-2.0
"""Bitstreams that are what the package says, and those that are not."""

import random

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import netlist
from fpga_regions.emulator.sandbox import Sandbox
from tests.support import bitstreams

CRC = bitstreams.bitstream("crc32", "hx1k")
LINES = "\n".join(["", ".device 8k", ".logic_tile 1 1", ""]).encode()


def verilog(box: Sandbox, data: bytes, part: str = "hx1k") -> str:
    """The netlist of a bitstream."""
    return netlist.from_bitstream(box, data, part, Deadline(60)).decode()


def chip(ports: str, *lines: str) -> str:
    """What icebox_vlog prints of a chip."""
    return "\n".join(["", f"module chip ({ports});", "", *lines, "", "endmodule", ""])


def test_bitstream_becomes_a_chip_behind_the_shell(box: Sandbox) -> None:
    text = verilog(box, CRC)
    assert "module chip (" in text
    assert "module shell (" in text
    assert ".in_data_7(in_data[7])" in text


def test_ports_are_declared_once_in_the_header(box: Sandbox) -> None:
    header = next(line for line in verilog(box, CRC).splitlines() if "module chip" in line)
    assert "input " not in header


@pytest.mark.parametrize(
    ("data", "part", "words"),
    [
        (CRC, "hx8k", "for the device 1k; hx8k is 8k"),
        (bitstreams.bitstream("packbits", "hx8k"), "hx1k", "for the device 8k; hx1k is 1k"),
        (b"", "hx1k", "not an iCE40 bitstream"),
        (b'{"part": "hx1k", "core": "crc32"}', "hx1k", "not an iCE40 bitstream"),
        (CRC[: len(CRC) // 2], "hx1k", "damaged|device none"),
        (CRC + bytes(1 << 20), "hx1k", "not an iCE40 bitstream"),
        (CRC[:9000] + bytes(200) + CRC[9200:], "hx1k", "damaged"),
    ],
    ids=["1k as 8k", "8k as 1k", "empty", "descriptor", "half", "too long", "wrong CRC"],
)
def test_bitstream_that_is_not_for_the_part_is_refused(
    box: Sandbox, data: bytes, part: str, words: str
) -> None:
    with pytest.raises(errors.BadPackage, match=words):
        verilog(box, data, part)


def test_comment_cannot_pass_for_a_part_of_the_bitstream(box: Sandbox) -> None:
    start = CRC.index(b"\x7e\xaa\x99\x7e")
    bitstream = (
        b"\xff\x00" + LINES.replace(b"\n", b"\0") + b"\0" + LINES + b"\0\x00\xff" + CRC[start:]
    )
    assert verilog(box, bitstream) == verilog(box, CRC)


def test_netlist_without_the_pins_of_the_shell_is_refused() -> None:
    with pytest.raises(errors.BadPackage, match=r"made for the emulator's shell.*done"):
        netlist._behind_pins(chip("input clk, output out_valid, output in_ready"))


def test_pin_of_the_wrong_direction_is_refused() -> None:
    ports = "input clk, output out_valid, output in_ready, output done, output in_data_3"
    with pytest.raises(errors.BadPackage, match="in_data_3"):
        netlist._behind_pins(chip(ports))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("SB_PLL40_CORE", r"a PLL \(SB_PLL40_CORE\)"),
        ("SB_PLL40_2F_PAD", r"a PLL \(SB_PLL40_2F_PAD\)"),
        ("SB_RAM40_4KNR", r"block RAM with a falling clock \(SB_RAM40_4KNR\)"),
        ("SB_WARMBOOT", r"warm boot \(SB_WARMBOOT\)"),
        ("SB_MAC16", r"a cell \(SB_MAC16\)"),
    ],
)
def test_cell_that_is_not_simulated_is_refused(cell: str, words: str) -> None:
    ports = "input clk, output out_valid, output in_ready, output done"
    with pytest.raises(errors.BadPackage, match=words):
        netlist._behind_pins(chip(ports, f"{cell} #("))


def test_pins_that_the_shell_does_not_know_are_pulled_up() -> None:
    ports = "input clk, output out_valid, output in_ready, output done, input io_3, output io_4"
    text = netlist._behind_pins(chip(ports))
    assert ".io_3(1'b1), .io_4()" in text
    assert "assign out_data[7] = 1'b0;" in text


def test_flipped_bits_give_a_netlist_or_a_refusal(box: Sandbox) -> None:
    source = random.Random(3)
    for _ in range(8):
        data = bytearray(CRC)
        for _ in range(source.randrange(1, 20)):
            data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        try:
            verilog(box, bytes(data))
        except errors.BadPackage as e:
            assert e.why
