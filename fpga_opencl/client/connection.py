# SPDX-License-Identifier: Apache-2.0
"""Sends messages to a worker and takes its replies."""

import itertools
import socket
import sys
import threading
import typing

from fpga_opencl.afar.secure import Secure
from fpga_opencl.protocol import codes, table
from fpga_opencl.protocol.streams import Stream

Show = typing.Callable[[str], None]


class OpenCLError(Exception):
    """A call failed.

    :param code: OpenCL's error code
    """

    def __init__(self, call: str, code: int) -> None:
        names = [name for name, value in vars(codes).items() if value == code and name.isupper()]
        super().__init__(f"{call}: CL_{names[0]}" if names and code else f"{call}: {code}")
        self.code = code


class DeviceLost(OpenCLError):
    """The worker has ended, and with it all objects of the session."""

    def __init__(self, call: str) -> None:
        super().__init__(call, codes.DEVICE_NOT_AVAILABLE)


class Connection:
    """A session's messages; threads may share it, and one call at a time waits.

    :param connection: to a worker
    :param show: called with what kernels print
    :raises DeviceLost: in each of its functions: the worker has ended
    """

    def __init__(self, connection: socket.socket | Secure, show: Show) -> None:
        self._socket = connection
        self._show = show
        self._stream = Stream(self._socket)
        self._lock = threading.Lock()
        self._sequence = itertools.count(1)
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """End the session and all that it has."""
        self._socket.close()

    def abort(self) -> None:
        """End the session; threads that wait see that it is lost."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def number(self) -> int:
        """A number for a new object."""
        return next(self._numbers)

    def call(self, name: str, *values: int, tail: bytes | memoryview = b"") -> bytes:
        """Send a message and give its reply.

        :raises OpenCLError: it failed
        """
        with self._lock:
            sequence = self._send(name, table.ANSWER, values, tail)
            try:
                status, reply = self._reply(sequence)
            except (EOFError, OSError):
                raise DeviceLost(name) from None
        if status != codes.SUCCESS:
            raise OpenCLError(name, status)
        return reply

    def post(self, name: str, *values: int, tail: bytes | memoryview = b"") -> None:
        """Send a message whose failure the next `finish` of its queue gives."""
        with self._lock:
            self._send(name, 0, values, tail)

    def _send(
        self, name: str, flags: int, values: tuple[int, ...], tail: bytes | memoryview
    ) -> int:
        message = table.MESSAGES[name]
        sequence = next(self._sequence) & 0xFFFFFFFF or next(self._sequence) & 0xFFFFFFFF
        body = message.struct.pack(*values)
        header = table.REQUEST.pack(message.number, flags, sequence, len(body) + len(tail))
        try:
            if len(tail) < 1 << 16:
                self._socket.sendall(header + body + tail)
            else:
                self._socket.sendall(header + body)
                self._socket.sendall(tail)
        except OSError:
            raise DeviceLost(name) from None
        return sequence

    def _reply(self, sequence: int) -> tuple[int, bytes]:
        header = table.REPLY
        while True:
            number, status, length = header.unpack(self._stream.take(header.size))
            content = self._stream.take(length)
            if number == sequence:
                return status, bytes(content)
            if number == 0:
                self._show(bytes(content).decode("utf-8", "replace"))


def local(path: str) -> socket.socket:
    """A connection to a worker on this host.

    :raises OSError: nobody serves OpenCL at that path
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def show(text: str) -> None:
    """Print what a kernel printed."""
    sys.stdout.write(text)
    sys.stdout.flush()
