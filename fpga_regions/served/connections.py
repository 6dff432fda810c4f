# SPDX-License-Identifier: Apache-2.0
"""Closes the connections of a region's clients, as the process behind the region is asked to.

It closes those that there are, once: who connects afterwards is served as before, so that a region
never stays closed, whoever is killed meanwhile.
"""

import contextlib
import socket
import threading
import time
import typing

#: The answer of the process once they are closed.
CLOSED = b"closed"


def close_waiting(listeners: typing.Iterable[socket.socket]) -> None:
    """Close the connections that nobody has accepted yet.

    :param listeners: sockets that do not block
    """
    for listener in listeners:
        # Somebody who connects again and again must not keep it up.
        for _ in range(socket.SOMAXCONN):
            try:
                connection, _address = listener.accept()
            except BlockingIOError:
                break
            except OSError:
                continue  # the client went away
            connection.close()


class Connections:
    """The connections that threads serve.

    :param listeners: where they come from: sockets that do not block
    """

    def __init__(self, listeners: typing.Sequence[socket.socket]) -> None:
        self._listeners = listeners
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()

    @contextlib.contextmanager
    def accepted(self, listener: socket.socket) -> typing.Iterator[socket.socket]:
        """The next connection of a listener, which is closed at the end.

        :raises OSError: there is none
        """
        with self._changed:
            connection, _address = listener.accept()
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._changed:
                self._open.discard(connection)
                connection.close()
                self._changed.notify_all()

    def close(self, seconds: float) -> bool:
        """Close all that there are.

        :param seconds: how long a thread may take to notice
        :returns: whether all are closed
        """
        end = time.monotonic() + seconds
        with self._changed:
            found = set(self._open)
            for connection in found:
                # A thread may be reading it: this wakes it, and closing it would not.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            close_waiting(self._listeners)
            return self._changed.wait_for(
                lambda: not found & self._open, max(0.0, end - time.monotonic())
            )
