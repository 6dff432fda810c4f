# SPDX-License-Identifier: Apache-2.0
"""Serves the requests of one session, in its worker: confined as that, and ended with it.

Gates bring connections whose token the server has judged. All of them share one client of the
worker, so objects outlast connections.
"""

import contextlib
import hashlib
import hmac
import http.server
import json
import re
import socket
import socketserver
import struct
import threading
import typing
import uuid

from fpga_opencl.client import DeviceLost, OpenCLError, Session
from fpga_opencl.client.session import open_on
from fpga_opencl.rest import answers, calls, head, schemas
from fpga_opencl.rest.answers import Document, Refusal

#: Seconds for which a connection may do nothing.
_IDLE = 60.0
#: Characters of what kernels print that are kept for the next answer.
_PRINTED = 64 << 10
_ENTRANCE = struct.Struct("<16s32s")


class Entrance(typing.NamedTuple):
    """Who comes in on a connection.

    :ivar session: id of the session
    :ivar digest: SHA-256 of the token that opened the connection
    """

    session: uuid.UUID
    digest: bytes

    def admits(self, target: head.Target) -> bool:
        """Whether a request is for the same session, with the same token."""
        digest = hashlib.sha256(target.opening.token).digest()
        same = hmac.compare_digest(digest, self.digest)
        return same and target.opening.session == self.session


def announce(control: socket.socket, entrance: Entrance, connection: socket.socket) -> None:
    """Hand a connection to the desk at the other end of a socket.

    :raises OSError: it takes none now
    """
    content = _ENTRANCE.pack(entrance.session.bytes, entrance.digest)
    socket.send_fds(control, [content], [connection.fileno()], socket.MSG_DONTWAIT)


class Desk:
    """One session's.

    :param worker: the client's end of a connection to the worker
    """

    def __init__(self, worker: socket.socket) -> None:
        self._worker = worker
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._printed = ""

    def serve(self, control: socket.socket) -> None:
        """Serve what is announced until nobody can announce any more; then the worker ends."""
        try:
            while True:
                content, descriptors, _, _ = socket.recv_fds(control, _ENTRANCE.size, 1)
                if not content:
                    return
                for descriptor in descriptors:  # none if there are too many
                    self._start(socket.socket(fileno=descriptor), *_ENTRANCE.unpack(content))
        finally:
            with contextlib.suppress(OSError):
                self._worker.shutdown(socket.SHUT_RDWR)

    def _start(self, connection: socket.socket, session: bytes, digest: bytes) -> None:
        entrance = Entrance(uuid.UUID(bytes=session), digest)
        thread = threading.Thread(target=self._attend, args=(connection, entrance), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the limit of processes
            connection.close()

    def _attend(self, connection: socket.socket, entrance: Entrance) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            _Handler(connection, self, entrance)

    def call(self, call: calls.Call, number: int, body: typing.Any) -> Document:
        """Do a call; one at a time waits.

        :raises Refusal, OpenCLError: it cannot be done
        """
        with self._lock:
            if self._session is None:
                self._session = open_on(self._worker, self._print)
            answer = call(self._session, number, body)
            if self._printed:
                answer = answer | {"Output": self._printed}
                self._printed = ""
            return answer

    def _print(self, text: str) -> None:
        self._printed += text[: _PRINTED - len(self._printed)]


class _Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE

    def __init__(self, connection: socket.socket, desk: Desk, entrance: Entrance) -> None:
        self._desk, self._entrance = desk, entrance
        super().__init__(connection, ("", 0), typing.cast(socketserver.BaseServer, None))

    def do_GET(self) -> None:
        """Answer a request."""
        keep = not self.close_connection and self.request_version == "HTTP/1.1"
        # Until the body is read, what follows is not a request.
        self.close_connection, read = True, False
        try:
            content, read = self._body(), True
            self.close_connection = not keep
            self._reply(200, self._serve(content))
        except Refusal as e:
            self._reply(e.status, e.document)
        except OpenCLError as e:
            status = 410 if isinstance(e, DeviceLost) else 409
            self._reply(status, {"CL_ERROR_CODE": e.code, "error": str(e)})
        if not read:
            answers.linger(self.connection)

    do_POST = do_GET  # noqa: N815

    def _body(self) -> bytes:
        """What follows the headers.

        :raises Refusal: it is not to be read
        :raises EOFError: the client has left
        """
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if "Transfer-Encoding" in self.headers:
            raise Refusal(411, "the length of the body is missing: Content-Length")
        if len(lengths) != 1 or not re.fullmatch("[0-9]{1,18}", str(lengths[0]).strip()):
            raise Refusal(400, "Content-Length is not a number")
        size = int(lengths[0])
        if size > schemas.BODY:
            raise Refusal(413, f"the body has more than {schemas.BODY} bytes")
        content = self.rfile.read(size)
        if len(content) < size:
            raise EOFError
        return content

    def _serve(self, content: bytes) -> Document:
        """The answer.

        :raises Refusal, OpenCLError: there is another one
        """
        target = head.find(self.path, self.headers)
        if not self._entrance.admits(target):
            self.close_connection = True
            raise Refusal(401, "the connection is open for another token: use another connection")
        call, number = calls.find(self.command, target.rest)
        try:
            body = json.loads(content.decode(), parse_float=_refuse, parse_constant=_refuse)
        except (ValueError, RecursionError):
            if content.strip():
                raise Refusal(400, "the body is not JSON with whole numbers, in UTF-8") from None
            body = None
        try:
            return self._desk.call(call, number, body)
        except UnicodeEncodeError:
            raise Refusal(400, "the body has a text that is not Unicode") from None

    def _reply(self, status: int, document: Document) -> None:
        self.wfile.write(answers.response(status, document, self.close_connection))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is not even a request."""
        self.close_connection = True
        self._reply(code, {"error": message or explain or "the request is not understood"})
        answers.linger(self.connection)

    def log_message(self, *_: typing.Any) -> None:
        """Say nothing: nobody would read it."""


def _refuse(text: str) -> typing.NoReturn:
    raise ValueError(text)
