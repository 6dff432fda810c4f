# SPDX-License-Identifier: Apache-2.0
"""Turns an iCE40 bitstream back into Verilog that can be simulated behind the shell's pins."""

import gzip
import importlib.resources
import importlib.resources.abc
import re
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import refusals
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed

#: What icepack calls the device of each part. Nothing in a bitstream tells HX from LP.
DEVICES = {"hx1k": "1k", "hx8k": "8k"}

#: The shell's pins, as seen from the core.
_INPUTS = ("clk", "rst", "in_valid", "in_end", "out_ready", *(f"in_data_{i}" for i in range(8)))
_OUTPUTS = ("in_ready", "out_valid", "done", *(f"out_data_{i}" for i in range(8)))
_NEEDED = ("clk", "in_ready", "out_valid", "done")

_START = b"\x7e\xaa\x99\x7e"  # of the part of a bitstream that the device reads
_EMPTY_COMMENT = b"\xff\x00\x00\xff"
_DEVICE = re.compile(rb"^\.device (\w+)$", re.MULTILINE)
_MODULE = re.compile(r"^module chip \(([^\n]*)\);$.*?^endmodule$", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^(SB_\w+)", re.MULTILINE)
#: A flip-flop of a pin: icebox_vlog gives it no value at the start, as it does to all others.
_PIN_REGISTER = re.compile(r"^reg (n\d+(?:, n\d+)*);$", re.MULTILINE)
_FLOATING = "1'bz"
_PULLED_UP = "1'b1"
_LOW = "1'b0"
_RAM = "SB_RAM40_4K"
#: Cells that are not simulated, by how their names begin.
_UNSUPPORTED = {
    "SB_PLL40": "a PLL",
    "SB_WARMBOOT": "warm boot",
    _RAM: "block RAM with a falling clock",
}
_MAX_BITSTREAM = 1 << 20


def from_bitstream(box: Sandbox, bitstream: bytes, part: str, deadline: Deadline) -> bytes:
    """The Verilog of a module `shell` that does what the bitstream does.

    :raises errors.BadPackage: it is no bitstream, is for another part, or was not made for the
        shell
    :raises errors.ProgrammingFailed: a tool is missing, or does not work on this host now
    :raises errors.TimedOut: the tools took longer than the deadline
    """
    text = _unpack(box, bitstream, deadline)
    device = _DEVICE.search(text)
    found = device[1].decode() if device else "none"
    if found != DEVICES[part]:
        raise errors.BadPackage(
            f"the bitfile is a bitstream for the device {found}; {part} is {DEVICES[part]}"
        )
    try:
        verilog = _decompile(box, text, _pins(part), deadline)
    except ToolFailed as e:
        raise _failure(box, e, "the bitstream cannot be turned into a netlist", deadline) from e
    return _behind_pins(verilog.decode()).encode()


def _unpack(box: Sandbox, bitstream: bytes, deadline: Deadline) -> bytes:
    start = bitstream.find(_START)
    if start < 0 or len(bitstream) > _MAX_BITSTREAM:
        raise errors.BadPackage("the bitfile is not an iCE40 bitstream as icepack writes it")
    # Without the comment, which iceunpack copies as it is, with lines that may look like its own.
    plain = _EMPTY_COMMENT + bitstream[start:]
    try:
        return _read(box, plain, deadline)
    except ToolFailed as e:
        raise _failure(box, e, "the bitfile is a damaged bitstream", deadline) from e


def _read(box: Sandbox, plain: bytes, deadline: Deadline) -> bytes:
    command = ["iceunpack", "core.bin", "core.asc"]
    return box.make({"core.bin": plain}, [command], "core.asc", deadline)


def _decompile(box: Sandbox, text: bytes, pins: bytes, deadline: Deadline) -> bytes:
    command = ["icebox_vlog", "-s", "-p", "pins.pcf", "core.asc"]
    return box.make({"core.asc": text, "pins.pcf": pins}, [command], None, deadline)


def _failure(box: Sandbox, failed: ToolFailed, why: str, deadline: Deadline) -> errors.RegionError:
    def control() -> None:
        blank = gzip.decompress(_shell_path("blank.bin.gz").read_bytes())
        _decompile(box, _read(box, blank, deadline), b"", deadline)

    return refusals.failure(box, failed, control, f"{why}: {failed}")


def _pins(part: str) -> bytes:
    """The shell's constraints with names that need no escape in Verilog."""
    return re.sub(r"\[(\d)\]", r"_\1", _shell_file(f"{part}.pcf")).encode()


def _shell_file(name: str) -> str:
    return _shell_path(name).read_text()


def _shell_path(name: str) -> importlib.resources.abc.Traversable:
    return importlib.resources.files(__package__).joinpath("shell", name)


def _behind_pins(verilog: str) -> str:
    """Put the chip that icebox_vlog describes behind ports that are the same for each core.

    icebox_vlog declares its ports in the module's header, and again as wires: Verilator 5.006
    refuses that, but not if the header has the names only.
    """
    # Only the module: Python 3.12 and newer warn of icebox_vlog's own text before it.
    module = _MODULE.search(verilog)
    chip = _settled(module[0]) if module else ""
    _check_cells(chip)
    driven = _driven(chip)
    known = _ports(module[1], driven) if module else {}
    missing = [name for name in _NEEDED if name not in known]
    wrong = [name for name in _INPUTS if known.get(name, "input") != "input"]
    wrong += [name for name in _OUTPUTS if known.get(name, "output") != "output"]
    if missing or wrong:
        raise errors.BadPackage(
            "the bitstream was not made for the emulator's shell: look at its pins "
            f"{', '.join(sorted({*missing, *wrong}))}"
        )
    body = chip.partition("\n")[2].removesuffix("endmodule")
    declared = "".join(f"{direction} {name};\n" for name, direction in known.items())
    header = f"module chip ({', '.join(known)});\n{declared}"
    ram = _shell_file("ram.v") if _RAM in chip else ""
    return f"{header}{body}{_values(chip, known, driven)}endmodule\n{_shell(known)}{ram}"


def _check_cells(verilog: str) -> None:
    """See that all is there that the chip consists of.

    :raises errors.BadPackage: it is not; that stays so
    """
    cell = min((cell for cell in _CELL.findall(verilog) if cell != _RAM), default=None)
    if cell is not None:
        names = (what for name, what in _UNSUPPORTED.items() if cell.startswith(name))
        raise errors.BadPackage(
            f"the bitstream uses {next(names, 'a cell')} ({cell}), which the emulator does not have"
        )


def _settled(verilog: str) -> str:
    """The chip with a value for each wire at each time: as in the device, and for each engine.

    A pin that the chip lets float is pulled up; flip-flops of pins are 0 after programming.
    """
    verilog = _PIN_REGISTER.sub(lambda found: f"reg {found[1].replace(',', ' = 0,')} = 0;", verilog)
    return verilog.replace(_FLOATING, _PULLED_UP)


def _ports(header: str, driven: typing.Container[str]) -> dict[str, str]:
    """The direction of each port; one in both directions is an output where the chip drives it."""
    ports = [port.split() for port in header.split(", ") if port]
    both = {True: "output", False: "input"}
    return {
        name: both[name in driven] if direction == "inout" else direction
        for direction, name in ports
    }


def _driven(verilog: str) -> set[str]:
    """The wires and pins that the chip gives a value."""
    registers = ",".join(re.findall(r"^reg (.*);$", verilog, re.MULTILINE))
    outputs = ",".join(re.findall(r"^  \.RDATA\(\{(.*)\}\),$", verilog, re.MULTILINE))
    names = re.sub(r" = 0\b", "", f"{registers},{outputs}").replace(" ", "").split(",")
    return {*names, *re.findall(r"\bassign (\w+) *=", verilog)}


def _values(verilog: str, known: typing.Mapping[str, str], driven: typing.Container[str]) -> str:
    """Values for what nothing drives."""
    wires = ", ".join(re.findall(r"^wire (.*);$", verilog, re.MULTILINE)).split(", ")
    floating = [name for name in wires if name and name not in driven]
    return "".join(
        f"assign {name} = {_PULLED_UP if name in known else _LOW};\n"
        for name in floating
        if known.get(name) != "input"
    )


def _shell(known: typing.Mapping[str, str]) -> str:
    connections = [
        # A pin of which the shell knows nothing: nothing is connected, inputs are pulled up.
        f".{name}({_bit(name) if name in (*_INPUTS, *_OUTPUTS) else pulled})"
        for name, direction in known.items()
        for pulled in [_PULLED_UP if direction == "input" else ""]
    ]
    absent = [f"assign {_bit(name)} = {_LOW};" for name in _OUTPUTS if name not in known]
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
