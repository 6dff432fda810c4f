# SPDX-License-Identifier: Apache-2.0
"""Workers that serve requests of REST, each with a desk inside, and the ways to those."""

import contextlib
import socket
import threading
import typing
import uuid

from fpga_opencl.node import worker
from fpga_opencl.node.leases import Lease
from fpga_opencl.node.settings import Settings
from fpga_opencl.rest.desk import Desk, Entrance, announce

#: Connections of a session at once. Each has a gate, of which the node has four for each worker;
#: desks are in the hands of their clients' kernels, so none of them is to hold any number.
MOST = 3


def prepare(control: socket.socket, settings: Settings) -> typing.Callable[[], None]:
    """What such a worker runs once it is confined; it can make no sockets then."""
    ours, clients = socket.socketpair()
    worker.widen(ours)

    def serve() -> None:
        threading.Thread(target=Desk(clients).serve, args=(control,), daemon=True).start()
        worker.serve(ours, settings)

    return serve


class Desks:
    """The desks of a server, by their leases."""

    def __init__(self) -> None:
        self._ways: dict[uuid.UUID, socket.socket] = {}
        self._gates: dict[uuid.UUID, list[socket.socket]] = {}
        self._lost: set[uuid.UUID] = set()

    def __contains__(self, lease: uuid.UUID) -> bool:
        """Whether a lease has one."""
        return lease in self._ways

    def lost(self, lease: uuid.UUID) -> bool:
        """Whether a lease had one that has ended: nobody is to find an empty one in its place."""
        return lease in self._lost

    def add(self, lease: uuid.UUID, way: socket.socket) -> None:
        """Note the way to a lease's desk."""
        self._ways[lease], self._gates[lease] = way, []

    def is_full(self, lease: uuid.UUID) -> bool:
        """Whether a lease has as many gates as it may have."""
        present = []
        for gate in self._gates[lease]:
            if _is_gone(gate):
                gate.close()
            else:
                present.append(gate)
        self._gates[lease] = present
        return len(present) >= MOST

    def enter(self, lease: Lease, gate: socket.socket) -> socket.socket | None:
        """A connection to a lease's desk; None if that takes none now.

        :param gate: whose connection it will be; it closes this socket when it ends
        """
        with contextlib.ExitStack() as undone:
            try:
                counted = undone.enter_context(gate.dup())
                here, there = socket.socketpair()
                undone.enter_context(here)
                with there:
                    entrance = Entrance(lease.id, bytes.fromhex(lease.token_hash))
                    announce(self._ways[lease.id], entrance, there)
            except OSError:
                return None
            undone.pop_all()
        self._gates[lease.id].append(counted)
        return here

    def close(self, lease: uuid.UUID) -> None:
        """Forget a lease's desk, if it had one; it ends."""
        way = self._ways.pop(lease, None)
        if way is not None:
            for one in (way, *self._gates.pop(lease)):
                one.close()
            self._lost.add(lease)

    def keep(self, leases: typing.Collection[uuid.UUID]) -> None:
        """Forget which desks have ended, but for those of leases that there are."""
        self._lost.intersection_update(leases)


def _is_gone(gate: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        try:
            return not gate.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except ConnectionError:
            return True
    return False
