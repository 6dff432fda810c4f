# SPDX-License-Identifier: Apache-2.0
"""What a request is answered with, and how a connection ends so that the answer arrives."""

import contextlib
import http
import json
import socket
import typing

from fpga_nova.deadline import Deadline
from fpga_opencl.afar.secure import Secure

Document = dict[str, typing.Any]

#: Seconds, and bytes, for which a client may go on sending what nobody reads any more.
_LINGER, _LINGER_SIZE = 2.0, 16 << 20


class Refusal(Exception):
    """A request is not served; the message is for whoever sent it.

    :param status: of HTTP
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def document(self) -> Document:
        """The body of its answer."""
        return {"error": str(self)}


def response(status: int, document: Document, close: bool = True) -> bytes:
    """An answer, as it is sent.

    :param close: whether the connection ends with it
    """
    body = json.dumps(document).encode()
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
    ]
    if status == http.HTTPStatus.UNAUTHORIZED:
        lines.append("WWW-Authenticate: Bearer")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def linger(connection: socket.socket | Secure) -> None:
    """Read on for a moment: the kernel drops an answer whose connection closes with more unread."""
    deadline, size = Deadline(_LINGER), 0
    with contextlib.suppress(OSError):
        while not deadline.passed and size < _LINGER_SIZE:
            connection.settimeout(max(deadline.remaining, 0.01))
            part = connection.recv(1 << 16)
            if not part:
                return
            size += len(part)
