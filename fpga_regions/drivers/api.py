# SPDX-License-Identifier: Apache-2.0
"""The interface of drivers: all that a driver, ours or another's, imports of the region manager.

A driver is a class of a few methods between the region manager and one kind of hardware.
"""

import abc
import typing

from oslo_config import cfg
from stevedore import named

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.package.reader import Package

__all__ = ["Deadline", "Driver", "Loaded", "Node", "Package", "Region", "Slot", "errors", "load"]

NAMESPACE = "fpga_regions.drivers"


class Driver(abc.ABC):
    """Programs the regions of one kind of hardware.

    A driver keeps no account of who holds what. The manager calls it for a region only while it
    holds that region's lock, except for `read_back`, which `status` calls at any time, and for
    `disconnect`.

    :param name: name of its entry point
    :param conf: the configuration
    :cvar prepares: whether `prepare` makes the first burn of a bitstream faster
    :cvar resets_again: whether a region that was kept warm is reset once more when it is given out,
        because something else may have reached it meanwhile
    """

    prepares: typing.ClassVar[bool] = False
    resets_again: typing.ClassVar[bool] = False

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        self.name = name
        self.conf = conf

    @abc.abstractmethod
    def discover(self) -> list[Slot]:
        """The regions that are here, always in the same order.

        :raises errors.NotAccessible: the hardware, or the way to it, does not answer
        """

    @abc.abstractmethod
    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Put a package's bitfile into a region.

        :raises errors.ProgrammingFailed: the region did not take it; what is in it is unknown, and
            it may be tried again
        :raises errors.TimedOut: it took longer than the deadline; what is in it is unknown
        :raises errors.NoMatchingHardware, errors.BadPackage: the hardware's own tool says that the
            bitfile is none for it; trying again is of no use
        """

    def replace(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Put another bitfile into a region whose nodes a guest of its owner may have.

        A driver that can leaves the guest with nodes that reach what is programmed. Called again
        after a failure, with the previous bitfile.

        :raises errors.RegionError: as `program` does
        """
        self.program(region, package, deadline)

    @abc.abstractmethod
    def read_back(self, region: Region) -> Loaded | None:
        """What the region itself says it holds; None if it shows that it is empty.

        :raises errors.NoAnswer: that cannot be known now: no answer, a tool that fails, a card or
            a field that is missing from a report
        """

    @abc.abstractmethod
    def clear(self, region: Region, deadline: Deadline) -> None:
        """Erase a region, whatever it holds, so that nothing of its last owner is left.

        An error message, or a card or field that is missing from a report, is no evidence.

        :raises errors.NotErased: it is not erased, or that cannot be known
        """

    @abc.abstractmethod
    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """The nodes of a programmed region that a container may get.

        :raises errors.ProgrammingFailed: the region lacks a node that the package exposes
        """

    def prepare(self, package: Package) -> None:
        """Make what does not depend on a region of a package that fits one; no lock is held.

        :raises errors.BadPackage: it is not for this hardware
        :raises errors.ProgrammingFailed, errors.TimedOut: it cannot be made now
        """
        raise errors.ProgrammingFailed(f"the driver {self.name} prepares nothing")

    def disconnect(self, region: Region) -> bool:
        """Close the connections that a guest has to a region's sockets; no lock is held.

        For drivers whose clients lose no more than the answer that they wait for. Who connects
        afterwards is served as before.

        :returns: whether the driver does so; False if it does not say otherwise
        :raises errors.NoAnswer: it cannot be known whether they are closed
        """
        return False

    def can_reset(self, region: Region) -> bool:
        """Whether `reset` can be of use for a region; False if a driver does not say otherwise."""
        return False

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Bring a programmed region to the state in which programming it left it.

        Nothing of its last owner is left then: no data, no client, and no way in.

        :raises errors.NotErased, errors.TimedOut: it is not in that state, or that cannot be told;
            what is in it is unknown, and it can be cleared
        """
        raise errors.NotErased(f"the driver {self.name} cannot reset a region")


def load(conf: cfg.ConfigOpts) -> dict[str, Driver]:
    """The drivers that the operator named, by name, in the operator's order.

    :raises errors.NotAccessible: none is named, or one is not installed or cannot be loaded
    """
    if not conf.drivers:
        raise errors.NotAccessible(
            "no driver is configured: set drivers in /etc/fpga-nova/fpga-cli.conf, or in the file "
            "of --config-file"
        )
    manager = named.NamedExtensionManager(
        NAMESPACE,
        conf.drivers,
        name_order=True,
        on_missing_entrypoints_callback=_missing,
        on_load_failure_callback=_broken,
    )
    found: dict[str, Driver] = {}
    for extension in manager:
        found[extension.name] = extension.plugin(extension.name, conf)
    return found


def _missing(names: typing.Collection[str]) -> typing.NoReturn:
    raise errors.NotAccessible(f"there is no driver {', '.join(sorted(names))}: check drivers")


def _broken(_manager: typing.Any, entry: typing.Any, error: Exception) -> typing.NoReturn:
    raise errors.NotAccessible(f"the driver {entry.name} cannot be loaded: {error}") from error
