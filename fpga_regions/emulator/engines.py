# SPDX-License-Identifier: Apache-2.0
"""The two simulators: Icarus Verilog is ready at once, Verilator is compiled and then fast."""

import abc
import importlib.resources
import logging
import os
import platform
import shlex
import shutil
import subprocess
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import refusals
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed

_LOG = logging.getLogger(__name__)
#: A netlist that every engine takes.
_BLANK = b"""
module shell (
input clk, input rst, input [7:0] in_data, input in_valid, output in_ready,
input in_end, output [7:0] out_data, output out_valid, input out_ready, output done
);
assign in_ready = 0, out_data = 0, out_valid = 0, done = 0;
endmodule
"""


class Engine(abc.ABC):
    """Makes a model of a netlist, and runs it."""

    name: typing.ClassVar[str]
    tools: typing.ClassVar[tuple[str, ...]]
    _version: typing.ClassVar[tuple[str, ...]]
    _bench: typing.ClassVar[str]

    def __init__(self) -> None:
        self._identity: str | None = None

    @property
    def installed(self) -> bool:
        """Whether all its tools are here."""
        return all(shutil.which(tool, path=os.defpath) for tool in self.tools)

    def identity(self, deadline: Deadline) -> str:
        """What a model depends on besides the netlist: machine, the tool's version, our own side.

        :raises errors.ProgrammingFailed: it is not installed, or does not print its version
        :raises errors.TimedOut: it took longer than the deadline
        """
        if self._identity is None:
            version = f"{platform.machine()} {self._version_text(deadline)}"
            self._identity = f"{version} {self._commands} {self._source()!r}"
        return self._identity

    def _version_text(self, deadline: Deadline) -> str:
        if not self.installed:
            raise errors.ProgrammingFailed(
                f"the engine {self.name} needs {', '.join(self.tools)}: see docs/emulator.md"
            )
        try:
            output = subprocess.run(  # noqa: S603 - our own words
                self._version,
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=deadline.remaining,
                env={"PATH": os.defpath},
            )
        except subprocess.TimeoutExpired as e:
            raise errors.TimedOut(f"{self._version[0]} does not print its version in time") from e
        except subprocess.CalledProcessError as e:
            raise errors.ProgrammingFailed(f"{self._version[0]} does not print its version") from e
        version = output.stdout.partition("\n")[0]
        return f"{self.name} {version}"

    def build(self, box: Sandbox, netlist: bytes, deadline: Deadline) -> bytes:
        """The model of a netlist, as a file's content.

        :raises errors.BadPackage: the engine does not take it, now or later
        :raises errors.ProgrammingFailed: the engine is not installed, or does not work now
        :raises errors.TimedOut: it took longer than the deadline
        """
        try:
            return self._make(box, netlist, deadline)
        except ToolFailed as e:
            _LOG.info("%s refuses a netlist: %s", self.name, e)
            why = f"the bitstream cannot be simulated: {self.name} refuses what it describes"
            raise refusals.failure(box, e, lambda: self._make(box, _BLANK, deadline), why) from e

    def _make(self, box: Sandbox, netlist: bytes, deadline: Deadline) -> bytes:
        inputs = {"netlist.v": netlist, self._bench: self._source()}
        return box.make(inputs, self._commands, "model", deadline)

    def answer(
        self, box: Sandbox, model: typing.BinaryIO, commands: bytes, deadline: Deadline
    ) -> bytes:
        """What a model answers to commands as simulation.py writes them.

        :raises ToolFailed: it does not run to their end
        :raises errors.ProgrammingFailed: its interpreter is not installed
        :raises errors.TimedOut: it took longer than the deadline
        """
        number = model.fileno()
        run = f"exec {shlex.join(self.command(f'/proc/self/fd/{number}'))} < commands"
        return box.make({"commands": commands}, [["sh", "-c", run]], None, deadline, [number])

    @property
    @abc.abstractmethod
    def _commands(self) -> list[list[str]]:
        """What makes `model` of `netlist.v` and the bench."""

    @abc.abstractmethod
    def command(self, path: str) -> list[str]:
        """What runs the model in a file."""

    def _source(self) -> bytes:
        return importlib.resources.files(__package__).joinpath("shell", self._bench).read_bytes()


class Icarus(Engine):
    """Icarus Verilog: interprets."""

    name = "icarus"
    tools = ("iverilog", "vvp")
    _version = ("vvp", "-V")
    _bench = "bench.v"

    @property
    def _commands(self) -> list[list[str]]:
        return [["iverilog", "-g2005", "-s", "bench", "-o", "model", "netlist.v", self._bench]]

    def command(self, path: str) -> list[str]:
        """The interpreter with the model; `-n` has it end, not ask, where it stops."""
        return ["vvp", "-n", path]


class Verilator(Engine):
    """Verilator: translates to C++ and compiles."""

    name = "verilator"
    tools = ("verilator", "g++", "make")
    _version = ("verilator", "--version")
    _bench = "bench.cpp"

    @property
    def _commands(self) -> list[list[str]]:
        # Warnings are about style; a netlist has none. -O1: -O2 takes longer than it gains.
        options = ["-O3", "-Wno-fatal", "-Wno-lint", "--x-initial", "0", "--x-assign", "0"]
        names = ["--top-module", "shell", "--prefix", "Vshell", "--Mdir", "made", "-o", "../model"]
        sources = ["-CFLAGS", "-O1", "netlist.v", self._bench]
        return [["verilator", "--cc", "--exe", "--build", *options, *names, *sources]]

    def command(self, path: str) -> list[str]:
        """The model itself."""
        return [path]


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Icarus(), Verilator())}
