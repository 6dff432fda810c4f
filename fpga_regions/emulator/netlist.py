# SPDX-License-Identifier: Apache-2.0
"""Turns an iCE40 bitstream back into Verilog that can be simulated behind the shell's pins."""

import importlib.resources
import re
import typing

from fpga_regions import errors
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed
from fpga_regions.locks import Deadline

#: What icepack calls the device of each part. Nothing in a bitstream tells HX from LP.
DEVICES = {"hx1k": "1k", "hx8k": "8k"}

#: The shell's pins, as seen from the core.
_INPUTS = ("clk", "rst", "in_valid", "in_end", "out_ready", *(f"in_data_{i}" for i in range(8)))
_OUTPUTS = ("in_ready", "out_valid", "done", *(f"out_data_{i}" for i in range(8)))
_NEEDED = ("clk", "in_ready", "out_valid", "done")

_START = b"\x7e\xaa\x99\x7e"  # of the part of a bitstream that the device reads
_EMPTY_COMMENT = b"\xff\x00\x00\xff"
_DEVICE = re.compile(rb"^\.device (\w+)$", re.MULTILINE)
_HEADER = re.compile(r"^module chip \((.*)\);$", re.MULTILINE)
_MAX_BITSTREAM = 1 << 20


def from_bitstream(box: Sandbox, bitstream: bytes, part: str, deadline: Deadline) -> bytes:
    """The Verilog of a module `shell` that does what the bitstream does.

    :raises errors.BadPackage: it is no bitstream, is for another part, or was not made for the
        shell
    :raises errors.ProgrammingFailed: a tool is missing
    :raises errors.TimedOut: the tools took longer than the deadline
    """
    text = _unpack(box, bitstream, deadline)
    device = _DEVICE.search(text)
    found = device[1].decode() if device else "none"
    if found != DEVICES[part]:
        raise errors.BadPackage(
            f"the bitfile is a bitstream for the device {found}; {part} is {DEVICES[part]}"
        )
    command = ["icebox_vlog", "-s", "-p", "pins.pcf", "core.asc"]
    try:
        inputs = {"core.asc": text, "pins.pcf": _pins(part)}
        verilog = box.make(inputs, [command], None, deadline).decode()
    except ToolFailed as e:
        raise errors.BadPackage(f"the bitstream cannot be turned into a netlist: {e}") from e
    return _behind_pins(verilog).encode()


def _unpack(box: Sandbox, bitstream: bytes, deadline: Deadline) -> bytes:
    start = bitstream.find(_START)
    if start < 0 or len(bitstream) > _MAX_BITSTREAM:
        raise errors.BadPackage("the bitfile is no iCE40 bitstream as icepack writes it")
    # Without the comment, which iceunpack copies as it is, with lines that may look like its own.
    plain = _EMPTY_COMMENT + bitstream[start:]
    try:
        return box.make(
            {"core.bin": plain}, [["iceunpack", "core.bin", "core.asc"]], "core.asc", deadline
        )
    except ToolFailed as e:
        raise errors.BadPackage(f"the bitfile is a damaged bitstream: {e}") from e


def _pins(part: str) -> bytes:
    """The shell's constraints with names that need no escape in Verilog."""
    return re.sub(r"\[(\d)\]", r"_\1", _shell_file(f"{part}.pcf")).encode()


def _shell_file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath("shell", name).read_text()


def _behind_pins(verilog: str) -> str:
    """Put the chip that icebox_vlog describes behind ports that are the same for each core.

    icebox_vlog declares its ports in the module's header, and again as wires: Verilator 5.006
    refuses that, but not if the header has the names only.
    """
    header = _HEADER.search(verilog)
    ports = [port.split() for port in header[1].split(", ") if port] if header else []
    known = {name: direction for direction, name in ports}
    missing = [name for name in _NEEDED if name not in known]
    wrong = [name for name in _INPUTS if known.get(name, "input") != "input"]
    wrong += [name for name in _OUTPUTS if known.get(name, "output") != "output"]
    if header is None or missing or wrong:
        raise errors.BadPackage(
            "the bitstream was not made for the emulator's shell: look at its pins "
            f"{', '.join(sorted({*missing, *wrong})) or 'all'}"
        )
    for cell, what in (("SB_PLL40", "a PLL"), ("SB_RAM40_4KN", "block RAM with a falling clock")):
        if cell in verilog:
            raise errors.BadPackage(f"the bitstream uses {what}, which the emulator does not have")
    names = ", ".join(name for _, name in ports)
    declared = "".join(f"{direction} {name};\n" for direction, name in ports)
    chip = verilog.replace(header[0], f"module chip ({names});\n{declared}", 1)
    ram = _shell_file("ram.v") if "SB_RAM40_4K" in verilog else ""
    return chip + _shell(known) + ram


def _shell(known: typing.Mapping[str, str]) -> str:
    connections = [
        # A pin of which the shell knows nothing: nothing is connected, inputs are pulled up.
        f".{name}({_bit(name) if name in (*_INPUTS, *_OUTPUTS) else pulled})"
        for name, direction in known.items()
        for pulled in ["1'b1" if direction == "input" else ""]
    ]
    absent = [f"assign {_bit(name)} = 1'b0;" for name in _OUTPUTS if name not in known]
    return "\n".join(
        [
            "module shell (",
            "input clk, input rst, input [7:0] in_data, input in_valid, output in_ready,",
            "input in_end, output [7:0] out_data, output out_valid, input out_ready, output done",
            ");",
            f"chip chip ({', '.join(connections)});",
            *absent,
            "endmodule",
            "",
        ]
    )


def _bit(name: str) -> str:
    return re.sub(r"_(\d)$", r"[\1]", name)
