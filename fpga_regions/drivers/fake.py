# SPDX-License-Identifier: Apache-2.0
"""Regions that hold nothing and fail on purpose: for tests, and for drills on a host without FPGA.

What is "in" a region is a file of the state folder, named by the region's id: removed, the region
has lost its configuration; with another function in it, it holds what nobody burnt; damaged, it
gives no answer. Its nodes are there but nothing answers on them. How often a step fails is an
option, and which of them fail is the same for the same seed: the n-th step on a region always has
the same fate.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import stat
import time
import typing

from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import api, settings
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.package.reader import Package
from fpga_regions.system import folders

GROUP = "fake"
_KINDS = frozenset({"char", "pipe", "socket"})
#: Of character devices that no driver has (Documentation/admin-guide/devices.txt, "local use").
_MAJOR = 60
_NODES = 16  # that a package exposes at most, see manifest.schema.json
_PAUSE = 0.02  # seconds between two looks at the clock


def _share(name: str, of_what: str) -> cfg.Opt:
    return cfg.FloatOpt(name, default=0.0, min=0.0, max=1.0, help=f"Share of {of_what}, 0 to 1.")


def _seconds(name: str, what: str) -> cfg.Opt:
    return cfg.FloatOpt(name, default=0.0, min=0.0, help=f"Seconds that {what} takes.")


OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt("cards", default=1, min=1, max=64, help="Cards: fake0, fake1, ..."),
    cfg.IntOpt("regions", default=2, min=1, max=64, help="Regions of each card."),
    cfg.StrOpt("board", default="fake", help="Board that a package's manifest must name."),
    cfg.StrOpt("part", default="fake", help="Part that a package's manifest must name."),
    settings.interface_option(),
    settings.vendor_option(),
    _seconds("program_delay", "programming a region"),
    _seconds("clear_delay", "erasing a region"),
    _share("program_failures", "programmings that fail; the region holds rubbish then"),
    _share("clear_failures", "erasings that fail"),
    _share("wrong_read_backs", "programmings after which the region shows another function"),
    _share("no_answers", "read backs that get no answer"),
    _share("silent_clears", "erasings that say they are done and leave the region as it was"),
    cfg.IntOpt("seed", default=0, help="Another seed makes other steps fail, just as many."),
]


class FakeDriver(api.Driver):
    """A number of cards, each with a number of regions, as group `fake` says."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)
        self._state = pathlib.Path(conf.state_dir) / "drivers" / name
        self._nodes = pathlib.Path(conf.runtime_dir) / name

    def discover(self) -> list[Slot]:
        """The regions that are configured."""
        options = self._options
        return [
            Slot(
                driver=self.name,
                device=f"fake{card}",
                index=index,
                board=options.board,
                part=options.part,
                interface=options.interface and options.interface.lower(),
                kinds=_KINDS,
                simulated=True,
                vendor=options.vendor,
            )
            for card in range(options.cards)
            for index in range(options.regions)
        ]

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Write down what the region pretends to hold, or fail as the options say."""
        function = package.manifest.function
        try:
            fate = self._fate(region)
            self._hold(region, Loaded("rubbish", package.digest))
            if not _wait(self._options.program_delay, deadline):
                raise errors.TimedOut(
                    f"the fake card took longer than {deadline.seconds:g} seconds (program_delay)"
                )
            if fate.random() < self._options.program_failures:
                raise errors.ProgrammingFailed("the fake card fails on purpose (program_failures)")
            if fate.random() < self._options.wrong_read_backs:
                function = "another"
            self._make_nodes(region, self.nodes(region, package))
            self._hold(region, Loaded(function, package.digest))
        except OSError as e:
            raise errors.ProgrammingFailed(f"the fake card's state cannot be written: {e}") from e

    def read_back(self, region: Region) -> Loaded | None:
        """What was written down; nothing is what an erased region shows."""
        share = self._options.no_answers
        try:
            if share and self._fate(region, "looks").random() < share:
                raise errors.NoAnswer("the fake card gives no answer on purpose (no_answers)")
            fields = json.loads((self._state / region.id).read_text())
            return Loaded(str(fields["function"]), str(fields["digest"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise errors.NoAnswer(f"the fake card's state cannot be read: {e}") from e

    def clear(self, region: Region, deadline: Deadline) -> None:
        """Forget what was written down, or fail as the options say."""
        try:
            fate = self._fate(region)
            if not _wait(self._options.clear_delay, deadline):
                raise errors.NotErased(
                    f"the fake card took longer than {deadline.seconds:g} seconds (clear_delay)"
                )
            if fate.random() < self._options.clear_failures:
                raise errors.NotErased("the fake card fails on purpose (clear_failures)")
            if fate.random() >= self._options.silent_clears:
                self._forget(region)
        except OSError as e:
            raise errors.NotErased(f"the fake card's state cannot be written: {e}") from e

    def can_reset(self, region: Region) -> bool:
        """Always."""
        return True

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Make the nodes anew, or fail as clearing does."""
        try:
            fate = self._fate(region)
            if not _wait(self._options.clear_delay, deadline):
                raise errors.TimedOut("the fake card took too long (clear_delay)")
            if fate.random() < self._options.clear_failures:
                raise errors.NotErased("the fake card fails on purpose (clear_failures)")
            self._make_nodes(region, region.nodes)
        except OSError as e:
            raise errors.NotErased(f"the fake card's state cannot be written: {e}") from e

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """A node of its kind for each that the package exposes; none of them answers."""
        return tuple(
            Node(exposed.kind, str(self._nodes / region.id / f"fpga{number}"), exposed.name)
            for number, exposed in enumerate(package.manifest.exposes)
        )

    def _make_nodes(self, region: Region, nodes: typing.Iterable[Node]) -> None:
        types = {"pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK, "char": stat.S_IFCHR}
        folders.make_private(self._nodes)
        folder = self._nodes / region.id
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700)
        # Numbers of the region's own, as a real card's nodes have.
        first = int(region.id.replace("-", "")[:4], 16) * _NODES
        for number, node in enumerate(nodes):
            os.mknod(node.path, types[node.kind] | 0o600, os.makedev(_MAJOR, first + number))
            pathlib.Path(node.path).chmod(0o666)

    def _hold(self, region: Region, loaded: Loaded) -> None:
        self._make_folders()
        new = self._state / f"{region.id}.new"
        new.write_text(json.dumps({"function": loaded.function, "digest": loaded.digest}))
        new.replace(self._state / region.id)

    def _forget(self, region: Region) -> None:
        (self._state / region.id).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._nodes / region.id)

    def _make_folders(self) -> None:
        folders.make_private(self._state.parent)
        folders.make_private(self._state)

    def _fate(self, region: Region, kind: str = "steps") -> random.Random:
        """What decides a region's next step of a kind, which is counted over all processes."""
        place = f"{region.slot.device}.{region.slot.index}"
        steps = self._state / f"{place}.{kind}"
        self._make_folders()
        step = _number(steps) + 1
        steps.write_text(str(step))
        word = "" if kind == "steps" else f" {kind}"
        return random.Random(f"{self._options.seed} {place} {step}{word}")  # noqa: S311 - no secret


def _number(file: pathlib.Path) -> int:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int(file.read_text())
    return 0


def _wait(seconds: float, deadline: Deadline) -> bool:
    """Wait; False if the deadline came first."""
    own = Deadline(seconds)
    while not own.passed:
        if deadline.passed:
            return False
        time.sleep(min(_PAUSE, own.remaining))
    return True
