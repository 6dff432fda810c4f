# SPDX-License-Identifier: Apache-2.0
"""Answers on a socket as a Docker Engine does, where a real one cannot be brought to it.

Status and messages are moby's own.
"""

import http.server
import json
import pathlib
import queue
import re
import socketserver
import typing
import urllib.parse


class Listener(socketserver.ThreadingUnixStreamServer):
    """A Docker Engine with a range of versions of its API, as moby's version middleware has it."""

    daemon_threads = True

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__(str(path), Answers)
        self.oldest = "1.24"
        self.newest = "1.41"
        self.says_version = True
        self.breaks_off = False
        #: Answers to the methods of HTTP, where they are not the usual ones: status and message.
        self.answers: dict[str, tuple[int, str]] = {}
        #: What it lists; where it is None, a list of containers is answered as all else.
        self.containers: list[dict[str, typing.Any]] | None = None
        #: The parameters of each list that it gave.
        self.lists: list[dict[str, list[str]]] = []
        #: The events of the next stream of events; None ends the stream.
        self.events: queue.Queue[dict[str, typing.Any] | None] = queue.Queue()
        #: The parameters of each stream that began.
        self.streams: list[dict[str, list[str]]] = []


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers what the driver asks."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def do_GET(self) -> None:
        if "GET" in self.server.answers and "/containers/" in self.path:
            self._answer_as_set("GET")
            return
        if self.server.containers is not None and "/containers/json" in self.path:
            self.server.lists.append(urllib.parse.parse_qs(self.path.partition("?")[2]))
            self._answer(200, self.server.containers)
            return
        if "/events" in self.path:
            self._stream()
            return
        version = re.match(r"/v(\d+\.\d+)/", self.path)
        if version and _number(version[1]) < _number(self.server.oldest):
            self._refuse(version[1], "old. Minimum", self.server.oldest)
        elif version and _number(version[1]) > _number(self.server.newest):
            self._refuse(version[1], "new. Maximum", self.server.newest)
        elif self.server.breaks_off and version:
            self._break_off()
        else:
            self._answer(200, {"ApiVersion": self.server.newest, "asked": self.path})

    def do_DELETE(self) -> None:
        self._answer_as_set("DELETE")

    def _stream(self) -> None:
        """Send events, each in a chunk, as they come."""
        self.server.streams.append(urllib.parse.parse_qs(self.path.partition("?")[2]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (event := self.server.events.get()) is not None:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.close_connection = True

    def _answer_as_set(self, method: str) -> None:
        status, message = self.server.answers[method]
        self._answer(status, {"message": message})

    def _break_off(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\n{")
        self.close_connection = True

    def _refuse(self, version: str, how: str, limit: str) -> None:
        reason = f"client version {version} is too {how} supported API version is {limit}"
        self._answer(400, {"message": reason})

    def _answer(self, status: int, content: typing.Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.says_version:
            self.send_header("API-Version", self.server.newest)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing."""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
