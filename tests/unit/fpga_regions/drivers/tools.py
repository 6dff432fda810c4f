# SPDX-License-Identifier: Apache-2.0
"""Stands at the edge of the hardware: programs that replay recordings, and one card under test."""

import fnmatch
import json
import pathlib
import shlex
import typing
import uuid

from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions.command import options
from fpga_regions.drivers.api import Driver
from fpga_regions.model import Loaded, Node, Region, Slot, State
from fpga_regions.package.reader import Package
from tests.support import bitstreams
from tests.unit.fpga_regions.conftest import unpack

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
_SEPARATOR = "\037"


class Tool:
    """A program of the vendor's, replaced by a script that answers as recorded.

    :param path: where it is made
    """

    def __init__(self, path: pathlib.Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._log = path.with_name(f"{path.name}.log")
        self._answers: dict[str, str] = {}
        self._write()

    def answer(
        self, arguments: str, output: str = "", errors: str = "", status: int = 0, then: str = ""
    ) -> None:
        """What it says to a command line; the last answer that was given for one counts.

        :param arguments: a pattern of the shell's for the whole command line, without the program
        :param then: commands that it runs before it ends
        """
        lines = [
            f"printf %s {shlex.quote(output)}",
            f"printf %s {shlex.quote(errors)} >&2",
            then or ":",
            f"exit {status}",
        ]
        self._answers.pop(arguments, None)
        self._answers = {arguments: "; ".join(lines)} | self._answers
        self._write()

    def calls(self, pattern: str = "*") -> list[list[str]]:
        """The arguments of each call whose command line matches, in their order."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        called = [line.split(_SEPARATOR)[:-1] for line in lines]
        return [call for call in called if fnmatch.fnmatchcase(" ".join(call), pattern)]

    def forget(self) -> None:
        """Forget the calls."""
        self._log.unlink(missing_ok=True)

    def _write(self) -> None:
        log = shlex.quote(str(self._log))
        cases = [f"  {_pattern(case)}) {answer} ;;" for case, answer in self._answers.items()]
        script = [
            "#!/bin/sh",
            f'(for word in "$@"; do printf \'%s{_SEPARATOR}\' "$word"; done; echo) >> {log}',
            'case "$*" in',
            *cases,
            'esac; echo "no recording of: $*" >&2; exit 99',
        ]
        self.path.write_text("\n".join([*script, ""]))
        self.path.chmod(0o755)


def _pattern(text: str) -> str:
    return "*".join(shlex.quote(part) if part else "" for part in text.split("*")) or "''"


def load_conf(folder: pathlib.Path, text: str) -> cfg.ConfigOpts:
    """A configuration whose folders are here."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "fpga-cli.conf"
    head = f"[DEFAULT]\nstate_dir = {folder}/state\nruntime_dir = {folder}/run\n"
    file.write_text(head + text)
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    return options.load(str(file))


def region_of(slot: Slot, number: int = 0) -> Region:
    """A claimed region."""
    region_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{slot.device} {slot.index} {number}"))
    return Region(region_id, slot, State.REQUESTED, "", image_id=IMAGE)


class Card:
    """A driver and the first region that it finds."""

    def __init__(self, driver: Driver, index: int = 0) -> None:
        self.driver = driver
        self.slots = driver.discover()
        self.region = region_of(self.slots[index])

    def package(self, **changes: typing.Any) -> Package:
        """A package that fits the region; changes are those of its manifest, or its content."""
        slot = self.slots[0]
        target = {"board": slot.board, "part": slot.part}
        if slot.interface:
            target["interface"] = slot.interface
        defaults = {
            "target": target,
            "bitfile": "core.bin",
            "exposes": [{"kind": "char", "name": "/dev/fpga0"}],
            "content": b"the bits",
        }
        return unpack(bitstreams.package(**(defaults | changes)), self.driver.conf)

    def program(self, seconds: float = 10, **changes: typing.Any) -> tuple[Node, ...]:
        """Program the region; its nodes."""
        package = self.package(**changes)
        self.driver.program(self.region, package, Deadline(seconds))
        return self.driver.nodes(self.region, package)

    def clear(self, seconds: float = 10) -> None:
        """Clear the region."""
        self.driver.clear(self.region, Deadline(seconds))

    def read_back(self) -> Loaded | None:
        """What the region says."""
        return self.driver.read_back(self.region)

    def restart_host(self) -> None:
        """Make the records be those of an earlier boot."""
        for file in self.state_folder().glob("*.record"):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"boot": "another"}))

    def state_folder(self) -> pathlib.Path:
        """Where the driver keeps what it knows."""
        return pathlib.Path(self.driver.conf.state_dir) / "drivers" / self.driver.name
