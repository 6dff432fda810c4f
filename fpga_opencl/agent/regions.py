# SPDX-License-Identifier: Apache-2.0
"""Regions of this host whose kernels run on nodes: their clients' connections come from them.

The process of a region connects once, and sends each connection of its clients with the number of
those that may be there at once. All of them end with the process.
"""

import contextlib
import socket
import threading
import typing

from fpga_nova.deadline import Deadline
from fpga_opencl.agent.leases import Leases
from fpga_opencl.agent.tunnel import carry, connections

#: Bytes of the number.
_SIZE = 8
#: Seconds for the end of all sessions.
_END = 10.0


class Regions:
    """All regions of a host.

    :param listener: where their processes connect, for packets
    """

    def __init__(self, listener: socket.socket, leases: Leases) -> None:
        self._listener, self._leases = listener, leases
        self._carriers: dict[threading.Thread, socket.socket] = {}

    def serve(self) -> None:
        """Serve until the socket is closed or shut down."""
        for region in connections(self._listener):
            threading.Thread(target=self._attend, args=(region,), daemon=True).start()

    def stop(self) -> None:
        """End all connections, and wait for a while until their sessions are ended."""
        deadline = Deadline(_END)
        carriers = dict(self._carriers)
        _end(carriers.values())
        for thread in carriers:
            thread.join(deadline.remaining)

    def _attend(self, region: socket.socket) -> None:
        """Take a region's connections until its process ends; then they end."""
        clients: set[socket.socket] = set()
        with region, contextlib.suppress(OSError):
            while True:
                content, descriptors, _, _ = socket.recv_fds(region, _SIZE, 1)
                if not content:
                    break
                for descriptor in descriptors:
                    client = socket.socket(fileno=descriptor)
                    if len(clients) < int.from_bytes(content, "little"):
                        clients.add(client)
                        self._begin(client, clients)
                    else:
                        client.close()
        _end(clients)

    def _begin(self, client: socket.socket, clients: set[socket.socket]) -> None:
        thread = threading.Thread(target=self._carry, args=(client, clients), daemon=True)
        self._carriers[thread] = client
        thread.start()

    def _carry(self, client: socket.socket, clients: set[socket.socket]) -> None:
        try:
            carry(client, self._leases.lease())
        finally:
            clients.discard(client)
            del self._carriers[threading.current_thread()]


def _end(clients: typing.Iterable[socket.socket]) -> None:
    for client in list(clients):
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def of_configuration(options: typing.Any) -> dict[str, typing.Any]:
    """What a session is to be.

    :param options: of the section `opencl_agent`
    """
    found = {"memory": options.memory, "type": options.device_type}
    return {name: value for name, value in found.items() if value is not None}
