# SPDX-License-Identifier: Apache-2.0
"""A program without our library: it knows JSON, HTTP and the answer that opened its session."""

import base64
import dataclasses
import http.client
import json
import re
import socket
import ssl
import typing

from fpga_opencl.client import Place

Document = dict[str, typing.Any]


class Rest:
    """A session's requests, on one connection as long as the node keeps it.

    :ivar used: method and path of each, the path from the session on and without numbers
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.used: list[tuple[str, str]] = []
        host, _, port = place.address.rpartition(":")
        context = trust(place)
        self._connection = http.client.HTTPSConnection(host, int(port), timeout=60, context=context)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: typing.Mapping[str, str] | None = None,
    ) -> tuple[int, Document]:
        """Any request; gives the status and the body."""
        self._connection.request(method, path, body, dict(headers or {}))
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def ask(self, method: str, path: str, body: typing.Any = None) -> tuple[int, Document]:
        """A request of the session."""
        self.used.append((method, re.sub(r"/\d+", "/NUMBER", path)))
        content = None if body is None else json.dumps(body).encode()
        path = f"/v1/opencl/sessions/{self.place.session}{path}"
        return self.send(method, path, content, {"Authorization": f"Bearer {self.place.token}"})

    def get(self, path: str) -> Document:
        """The answer to a request that succeeds."""
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def post(self, path: str, **body: typing.Any) -> Document:
        """The same, with a body."""
        status, answer = self.ask("POST", path, body or None)
        assert status == 200, answer
        return answer

    def create(self, resource: str, **body: typing.Any) -> int:
        """The number of a new object."""
        return int(self.post(f"/os-opencl{resource}", **body)["CreateResp"]["id"])

    def close(self) -> None:
        """End the connection; the session goes on."""
        self._connection.close()


def trust(place: Place) -> ssl.SSLContext:
    """TLS that takes the certificate of a session; the tests' names no address."""
    context = ssl.create_default_context(cadata=place.certificate)
    context.check_hostname = False
    return context


def raw(place: Place, content: bytes) -> tuple[int, Document]:
    """The answer to any bytes at all; status 0 if the node closes the connection without one."""
    host, _, port = place.address.rpartition(":")
    plain = socket.create_connection((host, int(port)), 60)
    with trust(place).wrap_socket(plain) as secure:
        secure.sendall(content)
        answer = http.client.HTTPResponse(secure)
        try:
            answer.begin()
        except http.client.RemoteDisconnected:
            return 0, {}
        return answer.status, json.loads(answer.read())


@dataclasses.dataclass
class Desk:
    """What calls need: a context, a queue and a program that is built."""

    rest: Rest
    device: int
    context: int
    queue: int
    program: int

    @classmethod
    def open(cls, place: Place, source: str) -> "Desk":
        """In a new session."""
        rest = Rest(place)
        device = rest.get("/os-opencldevices")["Devices"][0]["id"]
        context = rest.create("contexts", Devices=[{"Device": device}])
        queue = rest.create("queues", Context=context, Device=device)
        strings = [{"ProgramString": source}]
        program = rest.create("programs", Context=context, ListProgramStrings=strings)
        rest.post(f"/os-openclprograms/{program}/build", ListDevices=[{"Device": device}])
        return cls(rest, device, context, queue, program)

    def buffer(self, content: bytes) -> int:
        """A buffer with this content."""
        number = self.rest.create("buffers", Context=self.context, MEM_SIZE=len(content))
        self.command("enqueuewritebuffer", Buffer=number, Data=encode(content))
        return number

    def command(self, name: str, **body: typing.Any) -> Document:
        """A command of the queue."""
        return self.rest.post(f"/os-openclqueues/{self.queue}/{name}", **body)

    def read(self, buffer: int, size: int, **body: typing.Any) -> bytes:
        """What a buffer has."""
        answer = self.command("enqueuereadbuffer", Buffer=buffer, ByteCount=size, **body)
        return base64.b64decode(answer["ReadBufferResp"]["Data"])

    def kernel(self, name: str, *arguments: Document) -> int:
        """A kernel with its arguments."""
        number = self.rest.create("kernels", Program=self.program, KernelName=name)
        for index, argument in enumerate(arguments):
            path = f"/os-openclkernels/{number}/setkernelarg"
            assert self.rest.post(path, ArgIndex=index, **argument) == {"CL_ERROR_CODE": 0}
        return number


def encode(content: bytes) -> str:
    """Content in base64."""
    return base64.b64encode(content).decode()
