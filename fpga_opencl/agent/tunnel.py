# SPDX-License-Identifier: Apache-2.0
"""Carries each connection to a local socket to the node of a session."""

import contextlib
import socket
import sys
import threading
import typing
from pathlib import Path

from fpga_opencl.afar.relay import Relay, halves
from fpga_opencl.afar.tls import Place, connect

#: Connections at once.
_MOST = 64


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


class Tunnel:
    """All connections of a listening socket.

    :param find: where a connection is to go; what it raises as OSError closes the connection
    """

    def __init__(self, listener: socket.socket, find: typing.Callable[[], Place]) -> None:
        self._listener, self._find = listener, find
        self._free = threading.BoundedSemaphore(_MOST)

    def serve(self) -> None:
        """Serve until the socket is closed or shut down."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        try:
            with connection, connect(self._find()) as secure:
                Relay(secure, *halves(connection)).run()
        except (OSError, ValueError) as e:
            print(f"Error: no session of OpenCL - {e}", file=sys.stderr, flush=True)
        finally:
            self._free.release()
