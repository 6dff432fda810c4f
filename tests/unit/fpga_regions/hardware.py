# SPDX-License-Identifier: Apache-2.0
"""A driver whose hardware is a table: it stands at the one edge where a fake is in place."""

import typing
from pathlib import Path

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import api
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.package.reader import Package


def slot(index: int = 0, device: str = "card0", **changes: typing.Any) -> Slot:
    """A place for the packages of tests.support.bitstreams."""
    fields: dict[str, typing.Any] = {
        "driver": "hardware",
        "device": device,
        "index": index,
        "board": "emulator",
        "part": "software",
        "interface": None,
        "kinds": frozenset({"socket"}),
        "simulated": False,
    }
    return Slot(**(fields | changes))


class Hardware(api.Driver):
    """Regions that take what they are given, unless they are told to fail.

    :ivar failing: steps that fail from now on: program, clear, time out, clear times out, refuse,
        lie, mute (what is loaded cannot be read), silent, reset
    :ivar resets: whether it can reset; it leaves traces of whoever had a region if it does not
    :ivar traces: the regions that were used since they were programmed, reset or cleared
    :ivar failing_times: how many times programming fails from now on, before it works again
    :ivar nodes_at: the folder of the nodes; None for one that is not there
    :ivar done: each step that was made: its name and the region's id
    """

    def __init__(self, slots: typing.Sequence[Slot]) -> None:
        self.slots = list(slots)
        self.loaded: dict[str, Loaded] = {}
        self.failing: set[str] = set()
        self.failing_times = 0
        self.resets = False
        self.traces: set[str] = set()
        self.nodes_at: Path | None = None
        self.done: list[tuple[str, str]] = []

    def discover(self) -> list[Slot]:
        """The regions of the table."""
        return list(self.slots)

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Load it, perhaps by half."""
        self.done.append(("program", region.id))
        self.loaded[region.id] = Loaded(package.manifest.function, package.digest)
        self.traces.discard(region.id)
        self.failing_times -= 1
        if "program" in self.failing or self.failing_times >= 0:
            raise errors.ProgrammingFailed("the board said no")
        if "refuse" in self.failing:
            raise errors.BadPackage("the board never takes it")
        if "time out" in self.failing:
            raise errors.TimedOut("the board said nothing")
        if "lie" in self.failing:
            self.loaded[region.id] = Loaded("another", package.digest)

    def read_back(self, region: Region) -> Loaded | None:
        """What was loaded."""
        if "mute" in self.failing:
            raise errors.NoAnswer("the board said nothing")
        return self.loaded.get(region.id)

    def clear(self, region: Region, deadline: Deadline) -> None:
        """Unload."""
        self.done.append(("clear", region.id))
        if "clear" in self.failing:
            raise errors.NotErased("the board does not let go")
        if "clear times out" in self.failing:
            raise errors.TimedOut("the board said nothing")
        if "silent" not in self.failing:
            self.loaded.pop(region.id, None)
            self.traces.discard(region.id)

    def can_reset(self, region: Region) -> bool:
        """As it is told."""
        return self.resets

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Forget what its owner left."""
        self.done.append(("reset", region.id))
        if "reset" in self.failing:
            raise errors.NotErased("the board does not reset")
        self.traces.discard(region.id)

    def use(self, region_id: str) -> None:
        """Do what an owner does."""
        self.traces.add(region_id)

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """One node for each that the package exposes."""
        return tuple(
            Node(exposed.kind, self._path(region, exposed.name), exposed.name)
            for exposed in package.manifest.exposes
        )

    def _path(self, region: Region, name: str) -> str:
        if self.nodes_at is not None:
            return str(self.nodes_at / name.removeprefix("/dev/"))
        return f"/run/{region.id}{name}"
