# SPDX-License-Identifier: Apache-2.0
"""Workers that serve requests of REST, each with a desk inside, and the ways to those."""

import socket
import threading
import typing
import uuid

from fpga_opencl.node import worker
from fpga_opencl.node.leases import Lease
from fpga_opencl.node.settings import Settings
from fpga_opencl.rest.desk import Desk, Entrance, announce


def prepare(control: socket.socket, settings: Settings) -> typing.Callable[[], None]:
    """What such a worker runs once it is confined; it can make no sockets then."""
    ours, clients = socket.socketpair()

    def serve() -> None:
        threading.Thread(target=Desk(clients).serve, args=(control,), daemon=True).start()
        worker.serve(ours, settings)

    return serve


class Desks:
    """The desks of a server, by their leases."""

    def __init__(self) -> None:
        self._ways: dict[uuid.UUID, socket.socket] = {}
        self._lost: set[uuid.UUID] = set()

    def __contains__(self, lease: uuid.UUID) -> bool:
        """Whether a lease has one."""
        return lease in self._ways

    def lost(self, lease: uuid.UUID) -> bool:
        """Whether a lease had one that has ended: nobody is to find an empty one in its place."""
        return lease in self._lost

    def add(self, lease: uuid.UUID, way: socket.socket) -> None:
        """Note the way to a lease's desk."""
        self._ways[lease] = way

    def enter(self, lease: Lease) -> socket.socket | None:
        """A connection to a lease's desk; None if that takes none now."""
        here, there = socket.socketpair()
        with there:
            try:
                entrance = Entrance(lease.id, bytes.fromhex(lease.token_hash))
                announce(self._ways[lease.id], entrance, there)
            except OSError:
                here.close()
                return None
        return here

    def close(self, lease: uuid.UUID) -> None:
        """Forget a lease's desk, if it had one; it ends."""
        way = self._ways.pop(lease, None)
        if way is not None:
            way.close()
            self._lost.add(lease)

    def keep(self, leases: typing.Collection[uuid.UUID]) -> None:
        """Forget which desks have ended, but for those of leases that there are."""
        self._lost.intersection_update(leases)
