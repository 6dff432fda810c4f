# SPDX-License-Identifier: Apache-2.0
"""Decides which engine runs a bitstream, and has its model made, or made for the next time."""

import contextlib
import dataclasses
import typing
from pathlib import Path

from fpga_regions import errors, folders
from fpga_regions.emulator import cache, netlist
from fpga_regions.emulator.engines import ENGINES, Engine
from fpga_regions.emulator.sandbox import Sandbox
from fpga_regions.locks import Deadline

#: A part of the key of a netlist; to be changed whenever netlist.py makes another of a bitstream.
_FORMAT = "netlist 3"
_NETLIST = ".v"
_REFUSED = ".refused"
_WISHES = "wishes"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model that can be run.

    :param file: its content; closed by whoever asked for it
    """

    engine: Engine
    file: typing.BinaryIO


class Models:
    """Models of bitstreams, from the cache or made.

    :param folder: of the cache, and of what is to be compiled when there is time
    :param max_size: bytes that the cache may have
    :param box: where they are made
    """

    def __init__(self, folder: Path, max_size: int, box: Sandbox) -> None:
        folders.make_private(folder)
        self._wishes = folder / _WISHES
        self._cache = cache.Cache(folder / "models", max_size)
        self._box = box

    def get(self, bitstream: bytes, digest: str, part: str, how: str, deadline: Deadline) -> Model:
        """The model of a bitstream.

        :param digest: of the bitstream
        :param how: `icarus`, `verilator`, or `auto`: Verilator's if it is there, else Icarus's
        :raises errors.BadPackage: it is no bitstream for this part and the emulator's shell
        :raises errors.ProgrammingFailed: it cannot be simulated, or a tool is missing
        :raises errors.TimedOut: it took longer than the deadline
        """
        source = cache.key(_FORMAT, digest, part)
        verilator = ENGINES["verilator"]
        if how == "auto" and verilator.installed:
            if found := self._cached(source, verilator, deadline):
                return found
            self._wish(source, deadline)
        engine = ENGINES["icarus" if how == "auto" else how]
        if found := self._cached(source, engine, deadline):
            return found
        text = self._netlist(source, bitstream, part, deadline)
        return Model(engine, self._build(source, engine, text, deadline))

    def at_hand(self, digest: str, part: str, how: str, deadline: Deadline) -> Model | None:
        """The model of a bitstream that is in the cache; None if none is. Nothing is made.

        :param how: as in `get`
        :raises errors.TimedOut: it took longer than the deadline
        """
        source = cache.key(_FORMAT, digest, part)
        names = ("verilator", "icarus") if how == "auto" else (how,)
        engines = [ENGINES[name] for name in names if ENGINES[name].installed]
        found = (self._cached(source, engine, deadline) for engine in engines)
        return next((model for model in found if model is not None), None)

    def wishes(self) -> list[str]:
        """The netlists that are to be compiled, by their keys."""
        return sorted(path.name for path in self._wishes.glob("*"))

    def fulfil(self, source: str, deadline: Deadline) -> None:
        """Compile a netlist for the next burn; one that is refused is not tried again."""
        engine = ENGINES["verilator"]
        with contextlib.ExitStack() as files:
            text = self._cache.get(source + _NETLIST)
            if text is not None and not self._cached(source, engine, deadline):
                content = files.enter_context(text).read()
                try:
                    files.enter_context(self._build(source, engine, content, deadline))
                except (errors.ProgrammingFailed, errors.TimedOut):
                    refused = _name(source, engine, deadline) + _REFUSED
                    files.enter_context(self._cache.put(refused, b""))
        (self._wishes / source).unlink(missing_ok=True)

    def _wish(self, source: str, deadline: Deadline) -> None:
        if refused := self._cache.get(_name(source, ENGINES["verilator"], deadline) + _REFUSED):
            refused.close()
            return
        folders.make_private(self._wishes)
        (self._wishes / source).touch()

    def _cached(self, source: str, engine: Engine, deadline: Deadline) -> Model | None:
        file = self._cache.get(_name(source, engine, deadline))
        return Model(engine, file) if file else None

    def _netlist(self, source: str, bitstream: bytes, part: str, deadline: Deadline) -> bytes:
        if (found := self._cache.get(source + _NETLIST)) is not None:
            with found:
                return found.read()
        text = netlist.from_bitstream(self._box, bitstream, part, deadline)
        self._cache.put(source + _NETLIST, text).close()
        return text

    def _build(
        self, source: str, engine: Engine, text: bytes, deadline: Deadline
    ) -> typing.BinaryIO:
        content = engine.build(self._box, text, deadline)
        return self._cache.put(_name(source, engine, deadline), content)


def _name(source: str, engine: Engine, deadline: Deadline) -> str:
    return f"{cache.key(source, engine.identity(deadline))}.{engine.name}"
