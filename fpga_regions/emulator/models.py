# SPDX-License-Identifier: Apache-2.0
"""Decides which engine runs a bitstream, and has its model made, or made for the next time."""

import contextlib
import dataclasses
import logging
import typing
from pathlib import Path

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator import netlist
from fpga_regions.emulator.engines import ENGINES, Engine
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed
from fpga_regions.system import cache, folders

_LOG = logging.getLogger(__name__)
#: A part of the key of a netlist; to be changed whenever netlist.py makes another of a bitstream.
_FORMAT = "netlist 3"
_NETLIST = ".v"
_REFUSED = ".refused"
_TRIED = ".tried"
_QUEUE = "wishes"  # the name on disk of earlier releases
_FIRST, _COMPILED = ENGINES["icarus"], ENGINES["verilator"]
_TRIAL_TIME = 60  # seconds for a model's answer to TRIAL
_DATA = bytes(37 * i % 256 for i in range(64))
#: What both models of a bitstream must answer alike before the compiled one is used.
TRIAL = b"RD" + len(_DATA).to_bytes(2, "big") + _DATA + b"WWE" + b"W" * 8


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
        self._queue = folder / _QUEUE
        self._cache = cache.Cache(folder / "models", max_size)
        self._box = box

    def get(self, bitstream: bytes, digest: str, part: str, how: str, deadline: Deadline) -> Model:
        """The model of a bitstream.

        :param digest: of the bitstream
        :param how: `icarus`; `verilator` or `auto`: Verilator's if it is there, for `verilator`
            once it is compiled, and Icarus's for a bitstream whose compiled model is refused
        :raises errors.BadPackage: it is no bitstream for this part and the emulator's shell, or
            cannot be simulated
        :raises errors.ProgrammingFailed: a tool is missing, or does not work now
        :raises errors.TimedOut: it took longer than the deadline
        """
        source = cache.key(_FORMAT, digest, part)
        if how == "verilator" or (how == "auto" and _COMPILED.installed):
            if found := self._cached(source, _COMPILED, deadline):
                return found
            if why := self._refusal(source, deadline):
                _LOG.warning("%s is simulated by %s: %s", digest, _FIRST.name, why)
            elif how == "auto":
                self._enqueue(source)
            else:
                text = self._netlist(source, bitstream, part, deadline)
                if compiled := self._compiled(source, text, deadline):
                    return compiled
        if found := self._cached(source, _FIRST, deadline):
            return found
        return self._first(source, self._netlist(source, bitstream, part, deadline), deadline)

    def at_hand(self, digest: str, part: str, how: str, deadline: Deadline) -> Model | None:
        """The model of a bitstream that is in the cache; None if none is. Nothing is made.

        :param how: as in `get`
        :raises errors.TimedOut: it took longer than the deadline
        """
        source = cache.key(_FORMAT, digest, part)
        engines = (_FIRST,) if how == "icarus" else (_COMPILED, _FIRST)
        installed = [engine for engine in engines if engine.installed]
        found = (self._cached(source, engine, deadline) for engine in installed)
        return next((model for model in found if model is not None), None)

    def refuse(self, digest: str, part: str, why: str, deadline: Deadline) -> None:
        """Never use the compiled model of a bitstream again, and compile none.

        :param why: for the log
        """
        source = cache.key(_FORMAT, digest, part)
        self._cache.remove(_name(source, _COMPILED, deadline))
        self._refuse(source, why, deadline)

    def queue(self) -> list[str]:
        """The netlists that are to be compiled, by their keys."""
        return sorted(path.name for path in self._queue.glob("*"))

    def compile(self, source: str, deadline: Deadline) -> None:
        """Compile a netlist for the next burn; one that is refused is not tried again."""
        with contextlib.ExitStack() as files:
            text = self._cache.get(source + _NETLIST)
            if text is not None and not self._cached(source, _COMPILED, deadline):
                content = files.enter_context(text).read()
                try:
                    if model := self._compiled(source, content, deadline):
                        files.enter_context(model.file)
                except errors.ProgrammingFailed as e:
                    _LOG.warning("nothing is compiled: %s", e)
                except errors.TimedOut as e:
                    self._refuse(source, e.why, deadline)
        (self._queue / source).unlink(missing_ok=True)

    def _enqueue(self, source: str) -> None:
        folders.make_private(self._queue)
        (self._queue / source).touch()

    def _compiled(self, source: str, text: bytes, deadline: Deadline) -> Model | None:
        """The compiled model, once it answered as the other engine's; None if it is refused."""
        name = _name(source, _COMPILED, deadline)
        try:
            content = _COMPILED.build(self._box, text, deadline)
        except errors.BadPackage as e:
            self._refuse(source, e.why, deadline)
            return None
        with self._cache.put(name + _TRIED, content) as file:
            self._cache.remove(name + _TRIED)
            why = self._difference(Model(_COMPILED, file), source, text, deadline)
        if why is not None:
            self._refuse(source, why, deadline)
            return None
        return Model(_COMPILED, self._cache.put(name, content))

    def _difference(
        self, compiled: Model, source: str, text: bytes, deadline: Deadline
    ) -> str | None:
        """What a compiled model does otherwise than the interpreted one; None if nothing."""
        first = self._cached(source, _FIRST, deadline) or self._first(source, text, deadline)
        with first.file:
            answers = []
            for model in (first, compiled):
                try:
                    answers.append(self._answer(model))
                except (ToolFailed, errors.TimedOut) as e:
                    return f"the model of {model.engine.name} does not run: {e}"
        return None if answers[0] == answers[1] else "the compiled model answers otherwise"

    def _answer(self, model: Model) -> bytes:
        return model.engine.answer(self._box, model.file, TRIAL, Deadline(_TRIAL_TIME))

    def _first(self, source: str, text: bytes, deadline: Deadline) -> Model:
        content = _FIRST.build(self._box, text, deadline)
        return Model(_FIRST, self._cache.put(_name(source, _FIRST, deadline), content))

    def _refusal(self, source: str, deadline: Deadline) -> str | None:
        """Why no compiled model of a bitstream is used, if that is so."""
        refused = self._cache.get(_name(source, _COMPILED, deadline) + _REFUSED)
        if refused is None:
            return None
        with refused:
            return refused.read().decode()

    def _refuse(self, source: str, why: str, deadline: Deadline) -> None:
        _LOG.warning("no compiled model is used: %s", why)
        self._cache.put(_name(source, _COMPILED, deadline) + _REFUSED, why.encode()).close()

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


def _name(source: str, engine: Engine, deadline: Deadline) -> str:
    return f"{cache.key(source, engine.identity(deadline))}.{engine.name}"
