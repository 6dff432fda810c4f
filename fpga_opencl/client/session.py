# SPDX-License-Identifier: Apache-2.0
"""A session: a worker of one's own, and what it has."""

import socket
import struct
import types

from fpga_opencl.afar.secure import Secure
from fpga_opencl.afar.tls import Place, connect
from fpga_opencl.client.connection import Connection, Show, local, show
from fpga_opencl.client.queues import Queues
from fpga_opencl.client.resources import Buffers, Contexts, Devices, Kernels, Programs
from fpga_opencl.protocol import table


class Session:
    """The six resources; they end with it.

    :param devices: of the node
    :param contexts, buffers, programs, kernels, queues: of the session alone
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        reply = connection.call("hello", table.MAGIC, table.VERSION)
        self.devices = Devices(
            connection, [number for number, _ in struct.iter_unpack("<QQ", reply)]
        )
        self.contexts = Contexts(connection)
        self.buffers = Buffers(connection)
        self.programs = Programs(connection)
        self.kernels = Kernels(connection)
        self.queues = Queues(connection)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, and all objects with it."""
        self._connection.close()

    def abort(self) -> None:
        """The same, while another thread waits for a reply; that sees DeviceLost."""
        self._connection.abort()


def open_session(path: str = "/dev/opencl0") -> Session:
    """A new session on this host.

    :raises OSError: nobody serves OpenCL there
    :raises DeviceLost: the node has no room for one more, or cannot start it
    """
    return open_on(local(path))


def open_afar(place: Place) -> Session:
    """A session that fpga-api opened, on another machine; it has one connection at a time.

    :raises RefusedError: the node does not open it
    :raises OSError: the node does not answer, or is another one
    :raises DeviceLost: the node cannot start a worker
    """
    return open_on(connect(place))


def open_on(connection: socket.socket | Secure, printed: Show = show) -> Session:
    """A session on a connection to a worker, which ends with it.

    :param printed: called with what kernels print
    :raises DeviceLost: the worker has ended
    """
    messages = Connection(connection, printed)
    try:
        return Session(messages)
    except BaseException:
        messages.close()
        raise
