# SPDX-License-Identifier: Apache-2.0
"""Hands the connections of a region's clients to the agent of this host, which has them run afar.

It reads nothing that clients send. The agent ends all connections of a region with its process.
"""

import contextlib
import functools
import select
import socket
import typing

_TIMEOUT = 5  # seconds


class Way:
    """The way of one region.

    :param agent: path of the agent's socket
    :param listener: where clients connect
    :param most: connections at once
    :raises OSError: the agent is not there
    """

    def __init__(self, agent: str, listener: socket.socket, most: int) -> None:
        self._path, self._most = agent, most.to_bytes(8, "little")
        self._agent = self._connected()
        self._attended: dict[int, typing.Callable[[], None]] = {}
        self.attend(listener, functools.partial(self._pass_on, listener))

    def attend(self, other: socket.socket, call: typing.Callable[[], None]) -> None:
        """Have something done whenever a socket is readable."""
        self._attended[other.fileno()] = call

    def serve(self, until: int) -> None:
        """Serve until a descriptor is readable."""
        poll = select.poll()
        for descriptor in (until, *self._attended):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if until in ready:
                return
            for descriptor in ready:
                self._attended[descriptor]()

    def close(self) -> None:
        """End all connections that were handed over."""
        self._agent.close()

    def _pass_on(self, listener: socket.socket) -> None:
        """Hand a client over; where there is no agent, its connection is closed."""
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client:
                try:
                    self._send(client)
                except OSError:  # it has started again since
                    self._agent.close()
                    self._agent = self._connected()
                    self._send(client)

    def _send(self, client: socket.socket) -> None:
        socket.send_fds(self._agent, [self._most], [client.fileno()])

    def _connected(self) -> socket.socket:
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            agent.settimeout(_TIMEOUT)
            agent.connect(self._path)
        except OSError as e:
            agent.close()
            raise OSError(f"the agent does not answer at {self._path}: {e.strerror or e}") from e
        return agent
