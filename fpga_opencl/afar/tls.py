# SPDX-License-Identifier: Apache-2.0
"""Connections to a node: TLS that takes the certificate of the session, and no other one."""

import contextlib
import socket
import ssl
import time
import typing
import uuid

from fpga_opencl.afar import opening
from fpga_opencl.afar.opening import Opening
from fpga_opencl.afar.secure import Secure

#: Seconds in which a node has to answer, from the first byte to its worker.
_PATIENCE = 20.0
#: Seconds after which a peer that is silent counts as gone: as long as the service gives a node.
TTL = 15
_BUFFERS = 4 << 20


class Place(typing.NamedTuple):
    """Where a session is, and what opens it.

    :ivar address: host and port, ``HOST:PORT``
    :ivar session: id of the session
    :ivar token: of the session
    :ivar certificate: that the node shows, PEM
    """

    address: str
    session: str
    token: str
    certificate: str

    @classmethod
    def of_answer(cls, answer: typing.Mapping[str, typing.Any]) -> "Place":
        """Of what fpga-api answers to a request that opens a session, or of what `openstack` shows.

        :raises ValueError: it is something else
        """
        try:
            if "session" in answer:
                found = answer["session"]
                return cls(found["address"], found["id"], answer["token"], found["certificate"])
            return cls(answer["Address"], answer["ID"], answer["Token"], answer["Certificate"])
        except (KeyError, TypeError) as e:
            raise ValueError(f"the answer is not that of a new session: {e}") from e


class RefusedError(ConnectionError):
    """The node does not open the session.

    :param code: OpenCL's error code
    """

    def __init__(self, code: int) -> None:
        reasons = {
            opening.NO_SESSION: "it has no such session, or the token is wrong or has expired",
            opening.NO_ROOM: "the session has a connection, or no worker is free",
        }
        super().__init__(f"the node refuses: {reasons.get(code, code)}")
        self.code = code


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """For a node.

    :raises OSError: the files cannot be read, or are not a certificate and its key
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # An encrypted key is a failure: nobody is there who could be asked for its password.
    context.load_cert_chain(certificate, key, password="")
    # Each connection has a token of its own, so nothing is resumed.
    context.num_tickets = 0
    return context


def connect(place: Place) -> Secure:
    """A connection to the worker of a session.

    :raises RefusedError: the node does not open it
    :raises OSError: the node does not answer, or is another one
    :raises ValueError: the place is not one
    """
    host, _, port = place.address.rpartition(":")
    until = time.monotonic() + _PATIENCE
    first = Opening(uuid.UUID(place.session), place.token.encode()).pack()
    with contextlib.ExitStack() as stack:
        plain = socket.create_connection((host.strip("[]"), int(port)), _PATIENCE)
        stack.callback(plain.close)
        prepare(plain)
        secure = Secure(plain, _context(place.certificate))
        secure.handshake(until)
        secure.sendall(first)
        code = opening.unpack_reply(secure.receive(opening.REPLY_SIZE, until))
        if code != opening.OPENED:
            raise RefusedError(code)
        secure.settimeout(None)
        stack.pop_all()
    return secure


def prepare(connection: socket.socket) -> None:
    """Send small messages at once, and see within `TTL` that the other side is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, TTL // 3),
        (socket.TCP_KEEPINTVL, TTL // 5),
        (socket.TCP_KEEPCNT, 3),
        (socket.TCP_USER_TIMEOUT, (TTL - 1) * 1000),
    ):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, _BUFFERS)


def _context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The certificate itself is known, so the name in it decides nothing.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context
