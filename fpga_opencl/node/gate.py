# SPDX-License-Identifier: Apache-2.0
"""One client's way in: its TLS ends here, in a confined process that never saw OpenCL.

The token is not for this process to judge: the server, which has the leases, gets it, and sends the
way to a worker or a code.
"""

import contextlib
import socket
import ssl

from fpga_opencl.afar import opening, tls
from fpga_opencl.afar.relay import Relay

#: Seconds for the handshake and the opening, and for the server's answer.
_HANDSHAKE, _ANSWER = 10.0, 15.0


def serve(connection: socket.socket, control: socket.socket, context: ssl.SSLContext) -> None:
    """Serve a client until it or its worker leaves; the process is confined already.

    :param control: to the server
    """
    with contextlib.suppress(OSError, EOFError):
        tls.prepare(connection)
        connection.settimeout(_HANDSHAKE)
        secure = context.wrap_socket(connection, server_side=True)
        content = _receive(secure)
        if opening.unpack(content) is None:
            return
        control.settimeout(_ANSWER)
        control.send(content)
        reply, descriptors, _, _ = socket.recv_fds(control, opening.REPLY_SIZE, 1)
        control.close()
        secure.sendall(reply)
        if descriptors:
            Relay(secure, socket.socket(fileno=descriptors[0])).run()


def _receive(secure: ssl.SSLSocket) -> bytes:
    """The opening.

    :raises EOFError: the client left before
    """
    content = b""
    while len(content) < opening.SIZE:
        part = secure.recv(opening.SIZE - len(content))
        if not part:
            raise EOFError
        content += part
    return content
