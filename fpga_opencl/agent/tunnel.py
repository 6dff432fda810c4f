# SPDX-License-Identifier: Apache-2.0
"""Carries each connection to a local socket to the node of a session."""

import contextlib
import errno
import socket
import sys
import threading
import time
import typing
from pathlib import Path

from fpga_opencl.afar import rings
from fpga_opencl.afar.relay import Half, Relay, halves
from fpga_opencl.afar.tls import Place, connect
from fpga_opencl.protocol import table

#: Connections at once.
_MOST = 64
#: Seconds from one attempt to take a connection to the next.
_PAUSE = 0.1
#: Bytes of a program's first request, after which it waits.
_FIRST = table.REQUEST.size + table.MESSAGES["hello"].struct.size


@contextlib.contextmanager
def listening(
    path: str, mode: int = 0o600, kind: int = socket.SOCK_STREAM
) -> typing.Iterator[socket.socket]:
    """A socket at a path, which nobody finds before it listens.

    :param kind: streams, or packets
    :raises OSError: the path is not usable
    """
    unready = Path(f"{path}.new")
    with socket.socket(socket.AF_UNIX, kind) as listener:
        unready.unlink(missing_ok=True)
        listener.bind(str(unready))
        unready.chmod(mode)
        listener.listen()
        unready.rename(path)
        try:
            yield listener
        finally:
            Path(path).unlink(missing_ok=True)


def connections(listener: socket.socket) -> typing.Iterator[socket.socket]:
    """Those that come, until the socket is closed or shut down."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError as e:
            if e.errno in (errno.EBADF, errno.EINVAL):
                return
            time.sleep(_PAUSE)  # no descriptors are free, or no memory
        else:
            yield connection


def carry(program: socket.socket, session: contextlib.AbstractContextManager[Place]) -> None:
    """Carry what a program and a node send, until either leaves; then the program's socket closes.

    What keeps the node from being reached is said on standard error.

    :param session: is entered when the program has begun
    """
    try:
        with program:
            first = program.recv(_FIRST)
            if not first:
                return
            with session as place, connect(place) as secure, _ways(program, first) as ways:
                secure.sendall(first)
                Relay(secure, *ways).run()
    except (OSError, ValueError) as e:
        print(f"Error: no session of OpenCL - {e}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _ways(program: socket.socket, first: bytes) -> typing.Iterator[tuple[Half, Half]]:
    """What comes from a program, and what goes there: by rings if it asks and there may be some."""
    with contextlib.ExitStack() as stack:
        ways: tuple[Half, Half] | None = None
        if len(first) == _FIRST and table.REQUEST.unpack_from(first)[1] & table.RINGS:
            # Programs that never receive their descriptors may use up how many this user may send.
            with contextlib.suppress(OSError):
                ways = stack.enter_context(rings.offered(program))
        yield ways or halves(program)


class Tunnel:
    """All connections of a listening socket.

    :param place: where they are to go
    """

    def __init__(self, listener: socket.socket, place: Place) -> None:
        self._listener, self._place = listener, place
        self._free = threading.BoundedSemaphore(_MOST)

    def serve(self) -> None:
        """Serve until the socket is closed or shut down."""
        for connection in connections(self._listener):
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        try:
            carry(connection, contextlib.nullcontext(self._place))
        finally:
            self._free.release()
