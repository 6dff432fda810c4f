# SPDX-License-Identifier: Apache-2.0
"""What drivers share whose regions are processes with sockets."""

import abc
import pathlib
import socket
import typing

from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import api
from fpga_regions.model import Loaded, Node, Region
from fpga_regions.package.reader import Package
from fpga_regions.served.server import Load, Servers

if typing.TYPE_CHECKING:
    from fpga_nova.confined import groups


class ServedDriver(api.Driver):
    """A driver that starts a process for each package that it puts into a region.

    :cvar noun: what messages call such a process
    :cvar disconnects: whether such a process closes the connections of its clients if it is asked
    """

    noun: typing.ClassVar[str]
    disconnects: typing.ClassVar[bool] = False

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        runtime, state = pathlib.Path(conf.runtime_dir), pathlib.Path(conf.state_dir)
        self._servers = Servers(runtime, state, name, self.noun, self.disconnects)
        #: Sockets of regions whose process ended, for the next one.
        self._handed: dict[str, list[socket.socket]] = {}

    @abc.abstractmethod
    def put(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start the process of a region that has none.

        :raises errors.RegionError: as `program` does
        """

    @abc.abstractmethod
    def put_again(self, region: Region, load: Load, deadline: Deadline) -> None:
        """Start the process of a region that has none as the one before it was started.

        :param load: what that one was given, but for descriptors
        :raises errors.RegionError, OSError, ValueError, KeyError, TypeError: it cannot be started
        """

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start the process that serves the package's function."""
        self.clear(region, Deadline(self.conf.clear_timeout))
        self.put(region, package, deadline)

    def replace(self, region: Region, package: Package, deadline: Deadline) -> None:
        """The same with the sockets that a container has, where it has as many.

        Connections end with the process that served them; who connects next reaches the new one.
        """
        handed = self._handed.get(region.id) or self._servers.handed_over(region.id)
        self._handed[region.id] = handed
        if len(handed) != len(package.manifest.exposes):
            self.program(region, package, deadline)
            return
        try:
            self.end(region, Deadline(self.conf.clear_timeout))
        except errors.NotErased as e:
            raise errors.ProgrammingFailed(e.why) from e
        self.put(region, package, deadline)
        self._drop(region)

    def read_back(self, region: Region) -> Loaded | None:
        """Ask the process which function it serves."""
        return self._servers.ask(region.id)

    def clear(self, region: Region, deadline: Deadline) -> None:
        """End the process and remove its sockets."""
        self._drop(region)
        self.end(region, deadline)

    def disconnect(self, region: Region) -> bool:
        """Ask the process for it, if it does so."""
        if self.disconnects:
            self._servers.disconnect(region.id)
        return self.disconnects

    def can_reset(self, region: Region) -> bool:
        """Always."""
        return True

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Put a new process and new sockets in the place of the old ones; nothing is made anew."""
        try:
            load = self._servers.load(region.id)
            self._servers.end(region.id, deadline)
            self.put_again(region, load, deadline)
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise errors.NotErased(f"the {self.noun} cannot be started again: {e}") from e
        except (errors.ProgrammingFailed, errors.BadPackage) as e:
            raise errors.NotErased(f"the {self.noun} cannot be started again: {e.why}") from e

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """The sockets that the process serves."""
        return tuple(
            Node(exposed.kind, self._servers.path(region.id, number), exposed.name)
            for number, exposed in enumerate(package.manifest.exposes)
        )

    def start(
        self,
        region: Region,
        load: Load,
        settings: dict[str, typing.Any],
        limits: "groups.Limits",
        deadline: Deadline,
    ) -> None:
        """Start a region's process, with the sockets of the one before it that are in our hands.

        :raises errors.RegionError, OSError: as `Servers.start` does
        """
        handed = self._handed.get(region.id, ())
        self._servers.start(region.id, load, settings, limits, deadline, handed)

    def end(self, region: Region, deadline: Deadline) -> None:
        """End a region's process; the sockets that are in our hands stay.

        :raises errors.NotErased: something of it is still there, or that cannot be known
        """
        try:
            self._servers.end(region.id, deadline, len(self._handed.get(region.id, ())))
        except (OSError, ValueError, TypeError) as e:
            raise errors.NotErased(f"what the {self.noun} left cannot be removed: {e}") from e

    def _drop(self, region: Region) -> None:
        for one in self._handed.pop(region.id, ()):
            one.close()
