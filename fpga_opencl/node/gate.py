# SPDX-License-Identifier: Apache-2.0
"""One client's way in: its TLS ends here, in a confined process that never saw OpenCL.

The token is not for this process to judge: the server, which has the leases, gets its hash, and
sends the way to a worker or a code. A client that begins with a request of HTTP gets its answers
from the worker, too.
"""

import contextlib
import re
import socket
import ssl
import time

from fpga_opencl.afar import opening, rings, tls
from fpga_opencl.afar.opening import Opening
from fpga_opencl.afar.relay import Relay, halves
from fpga_opencl.afar.secure import Secure
from fpga_opencl.rest import answers, head
from fpga_opencl.rest.answers import Refusal

#: Seconds for the handshake and the opening, and for the server's answer.
_HANDSHAKE, _ANSWER = 10.0, 15.0
#: What requests of REST are answered with.
_REFUSALS = {
    opening.NO_SESSION: (404, "there is no such session, or its token is wrong or has expired"),
    opening.NO_ROOM: (409, "a client has the session, or no worker is free"),
    opening.LOST: (410, "the worker of the session has ended: open another session"),
    opening.BUSY: (429, "the session has as many connections as it may have"),
}


def serve(connection: socket.socket, control: socket.socket, context: ssl.SSLContext) -> None:
    """Serve a client until it or its worker leaves; the process is confined already.

    :param control: to the server
    """
    with contextlib.suppress(OSError, EOFError):
        tls.prepare(connection)
        until = time.monotonic() + _HANDSHAKE
        secure = Secure(connection, context, server_side=True)
        secure.handshake(until)
        begin = secure.receive(len(opening.BEGIN), until)
        if begin == opening.BEGIN:
            content = begin + secure.receive(opening.SIZE - len(begin), until)
            first = opening.unpack(content)
            if first is None:
                return
            reply, descriptors = _ask(control, first)
            control.close()
            secure.sendall(reply)
            if descriptors:
                Relay(secure, *rings.halves(socket.socket(fileno=descriptors[0]))).run()
        elif re.fullmatch(rb"[A-Z]{3}[A-Z ]", begin):
            _serve_rest(secure, control, begin)


def _serve_rest(secure: Secure, control: socket.socket, begin: bytes) -> None:
    """Bring requests to the desk of their session.

    :param control: stays open as long as the process, for the server to count the session's gates
    """
    try:
        content = head.read(secure, begin)
        reply, descriptors = _ask(control, head.parse(content).opening)
        if not descriptors:
            raise Refusal(*_REFUSALS[opening.unpack_reply(reply)])
    except Refusal as e:
        secure.sendall(answers.response(e.status, e.document))
        answers.linger(secure)
        return
    desk = socket.socket(fileno=descriptors[0])
    desk.sendall(content)
    Relay(secure, *halves(desk)).run()


def _ask(control: socket.socket, first: Opening) -> tuple[bytes, list[int]]:
    """The server's reply to an opening, and the way to a worker if it opens one.

    :raises EOFError: the server does not reply
    """
    control.settimeout(_ANSWER)
    control.send(first.without_token().pack())
    reply, descriptors, _, _ = socket.recv_fds(control, opening.REPLY_SIZE, 1)
    if not reply:
        raise EOFError
    return reply, list(descriptors)
