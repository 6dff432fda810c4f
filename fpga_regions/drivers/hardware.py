# SPDX-License-Identifier: Apache-2.0
"""What drivers of real hardware share: a lock for each card, the bitfile on disk, the record.

A card is worked on by one process at a time, whichever of its regions is meant: most tools take
the whole card. The lock is one more than the region's own, and the programs that are run inherit
it: if fpga-cli is killed, the next one waits for what it left running.
"""

import abc
import contextlib
import dataclasses
import logging
import os
import pathlib
import time
import typing

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_nova.contract import NODE_KINDS
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import api, records
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.package.reader import Package
from fpga_regions.system import folders, locks

_LOG = logging.getLogger(__name__)
_PAUSE = 0.05  # seconds between two looks at a node that is to appear


@dataclasses.dataclass(frozen=True)
class Job:
    """Work on one region, whose card is locked.

    :param deadline: when it must be done
    :param lock: descriptor of the card's lock
    """

    region: Region
    deadline: Deadline
    lock: int

    def run(self, *argv: str) -> processes.Finished:
        """Run a program that works on the card, and that must succeed.

        :raises processes.Failed: it did not
        """
        finished = self.try_to_run(*argv)
        if finished.status != 0:
            raise processes.Failed(finished.complaint)
        return finished

    def try_to_run(self, *argv: str) -> processes.Finished:
        """Run a program that works on the card, and see how it ends.

        :raises processes.Failed: it could not be run, or not to its end
        """
        return processes.run(argv, self.deadline, keep=[self.lock])


class HardwareDriver(api.Driver):
    """A driver whose hardware keeps what is in it when fpga-cli ends.

    A driver of its own defines the methods that are abstract here. These may
    raise processes.Failed, OSError and ValueError, which are reported as what they mean for the
    verb: a failure, or no answer. Success is concluded from what the hardware or its tool shows,
    never from the lack of an error.
    """

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self.cards: dict[str, typing.Any] = {}
        self._folder = pathlib.Path(conf.state_dir) / "drivers" / name
        self._records = records.Records(self._folder)

    @abc.abstractmethod
    def slots_of(self, card: str) -> list[Slot]:
        """The regions of a card, if it is here and answers."""

    @abc.abstractmethod
    def put(self, job: Job, bitfile: pathlib.Path, package: Package) -> str:
        """Put a bitfile into a region, and see that it is in.

        :param bitfile: the package's bitfile, in a file of a name that we made
        :returns: the sign that is kept on record
        """

    @abc.abstractmethod
    def wipe(self, job: Job, record: records.Record | None) -> str:
        """Erase a region, and see that nothing of its owner is left in it.

        :param record: the region's; None if there is none that can be understood, and anything may
            be in the region
        :returns: the sign that is kept on record
        """

    @abc.abstractmethod
    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What the hardware shows of a region; None only if it shows that the region is empty.

        It raises where the hardware does not say: a card or a field that a report lacks, a tool
        that fails.

        :param record: the region's; None if there is none
        """

    @abc.abstractmethod
    def host_nodes(self, region: Region) -> list[HostNode]:
        """The nodes that a programmed region has."""

    def suffix(self, region: Region) -> str:
        """How the name of a bitfile's file must end for the tool."""
        return ".bin"

    def card_names(self) -> list[str]:
        """The cards of this host: those that are configured, unless the hardware can tell."""
        return list(self.cards)

    def discover(self) -> list[Slot]:
        """The regions of all cards that answer; a card that does not has none for now.

        :raises errors.NotAccessible: no card answers
        """
        found: list[Slot] = []
        silent: list[str] = []
        try:
            for card in self.card_names():
                try:
                    found += self.slots_of(card)
                except (processes.Failed, OSError, ValueError) as e:
                    silent.append(f"card {card}: {e}")
        except (processes.Failed, OSError, ValueError) as e:
            raise errors.NotAccessible(f"driver {self.name}: {e}") from e
        for one in silent:
            _LOG.warning("driver %s: %s", self.name, one)
        if silent and not found:
            raise errors.NotAccessible(f"driver {self.name}: {'; '.join(silent)}")
        return found

    def slot(self, card: str, index: int, options: typing.Any, **more: typing.Any) -> Slot:
        """A region of a card whose options say what it is; `more` is what else is known."""
        fields: dict[str, typing.Any] = {
            "board": options.board,
            "part": options.part,
            "interface": options.interface and options.interface.lower(),
            "vendor": options.vendor,
        }
        return Slot(driver=self.name, device=card, index=index, simulated=False, **(fields | more))

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Put the package's bitfile into the region; see `put` of each driver."""
        try:
            with self._job(region, deadline) as job, self._bitfile(region, package) as path:
                record = self._known(region)
                if record is not None and record.loaded is not None:
                    self.wipe(job, record)
                self.forget(region)
                sign = self.put(job, path, package)
                loaded = Loaded(package.manifest.function, package.digest)
                self._records.write(region, loaded, sign)
                self._wait_for_nodes(region, package, deadline)
        except (processes.TooLong, locks.NotLocked) as e:
            raise errors.TimedOut(_busy(e, deadline)) from e
        except (processes.Failed, OSError, ValueError) as e:
            raise errors.ProgrammingFailed(str(e)) from e

    def read_back(self, region: Region) -> Loaded | None:
        """What the hardware shows of the region; see `look` of each driver."""
        try:
            return self.look(region, self._records.read(region))
        except locks.NotLocked as e:
            raise errors.NoAnswer(f"region {region.id}: another process works on the card") from e
        except (processes.Failed, OSError, ValueError) as e:
            raise errors.NoAnswer(f"region {region.id}: {e}") from e

    def clear(self, region: Region, deadline: Deadline) -> None:
        """Erase the region; see `wipe` of each driver."""
        with self.erasing(region, deadline) as job:
            self._bitfile_path(region).unlink(missing_ok=True)
            sign = self.wipe(job, self._known(region))
            self._records.write(region, None, sign)

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """The region's nodes in the order in which the package exposes them."""
        try:
            here = self.host_nodes(region)
        except (processes.Failed, OSError, ValueError) as e:
            raise errors.ProgrammingFailed(f"the region's nodes are not known: {e}") from e
        found = []
        for exposed in package.manifest.exposes:
            node = next((one for one in here if one.kind == exposed.kind), None)
            if node is None:
                raise errors.ProgrammingFailed(
                    f"the package exposes more {exposed.kind} nodes than the region has"
                )
            here.remove(node)
            # A link of udev's: the container must get the device, not what it points to later.
            found.append(Node(node.kind, os.path.realpath(node.path), exposed.name))
        return tuple(found)

    def forget(self, region: Region) -> None:
        """Remove the record of a region whose content is about to change."""
        self._records.remove(region)

    def card(self, name: str) -> typing.Any:
        """The options of a card.

        :raises processes.Failed: it has none any more; the ledger still knows a region of it
        """
        if name not in self.cards:
            raise processes.Failed(f"card {name} is not in [{self.name}] cards any more")
        return self.cards[name]

    @contextlib.contextmanager
    def card_locked(self, card: str, deadline: Deadline) -> typing.Iterator[int]:
        """Keep others from working on a card.

        :raises locks.NotLocked: another process has been for too long
        """
        folder = self._folder / "cards"
        folders.make_private(self._folder.parent)
        folders.make_private(self._folder)
        folders.make_private(folder)
        with locks.held(folder / card, deadline) as descriptor:
            yield descriptor

    @contextlib.contextmanager
    def erasing(self, region: Region, deadline: Deadline) -> typing.Iterator[Job]:
        """Work on a region to the end that nothing of its owner is left in it.

        :raises errors.NotErased: it did not come about
        """
        try:
            with self._job(region, deadline) as job:
                yield job
        except (processes.TooLong, locks.NotLocked) as e:
            raise errors.NotErased(_busy(e, deadline)) from e
        except (processes.Failed, OSError, ValueError) as e:
            raise errors.NotErased(str(e)) from e

    def _known(self, region: Region) -> records.Record | None:
        """The record of a region that is about to be changed; None also for a damaged one."""
        try:
            return self._records.read(region)
        except ValueError as e:
            _LOG.warning("driver %s: %s", self.name, e)
            return None

    @contextlib.contextmanager
    def _job(self, region: Region, deadline: Deadline) -> typing.Iterator[Job]:
        with self.card_locked(region.slot.device, deadline) as lock:
            yield Job(region, deadline, lock)

    def _bitfile_path(self, region: Region) -> pathlib.Path:
        return self._folder / f"{region.id}{self.suffix(region)}"

    @contextlib.contextmanager
    def _bitfile(self, region: Region, package: Package) -> typing.Iterator[pathlib.Path]:
        path = self._bitfile_path(region)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor has no path
                file.write(package.bitfile)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _wait_for_nodes(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Wait until the nodes are there: udev makes them after the kernel has found the device."""
        while True:
            missing = next((n for n in self.nodes(region, package) if not _is_there(n)), None)
            if missing is None:
                return
            if deadline.passed:
                raise errors.ProgrammingFailed(
                    f"{missing.path} is not there, or is no {missing.kind} node"
                )
            time.sleep(_PAUSE)


def _is_there(node: Node) -> bool:
    try:
        return NODE_KINDS[node.kind](pathlib.Path(node.path).stat().st_mode)
    except FileNotFoundError:
        return False


def _busy(error: Exception, deadline: Deadline) -> str:
    if isinstance(error, locks.NotLocked):
        return f"the card has been at work for another for more than {deadline.seconds:g} seconds"
    return str(error)
