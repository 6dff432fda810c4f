# SPDX-License-Identifier: Apache-2.0
"""Registers the node and sends heartbeats, for as long as its server is there."""

import dataclasses
import json
import select
import socket
import sys
import time
import typing
import uuid
from pathlib import Path

from fpga_opencl.client.session import open_on
from fpga_opencl.registrar.service import NotRegistered, Refused, Service, Unreachable

#: Seconds that the server has for an answer; a worker may have to load OpenCL.
_ANSWER = 60.0
#: Seconds to the next try where the service does not answer.
_RETRY = 1.0
_LARGEST = 1 << 18
#: Bits of CL_DEVICE_TYPE, the first that a device has.
_TYPES = {2: "cpu", 4: "gpu", 8: "accelerator"}
_TEXTS = ("name", "vendor", "version", "driver_version")
_LONGEST = 255

#: Of the ids of nodes, which stay the same while they come and go.
_NAMESPACE = uuid.UUID("3d9b7f52-6f0e-4f0b-8c43-2b1f6f7f0a55")

Document = dict[str, typing.Any]


class ServerGone(Exception):
    """The node server has ended."""


@dataclasses.dataclass
class Node:
    """What is registered.

    :ivar certificate: file of the data plane's
    """

    name: str
    address: str
    certificate: str
    reserved_for: str | None

    @property
    def path(self) -> str:
        """Of the node at the service."""
        return f"/v1/opencl/nodes/{uuid.uuid5(_NAMESPACE, self.name)}"


class Registrar:
    """Between a server and the service.

    :param server: a socket to it
    """

    def __init__(self, server: socket.socket, service: Service, node: Node) -> None:
        self._server, self._service, self._node = server, service, node
        self._devices: list[Document] = []
        self._certificate = ""
        self._complaint = ""

    def run(self) -> None:
        """Go on until the server is gone.

        :raises ServerGone: it is
        """
        while True:
            try:
                self._register()
                while True:
                    self._wait(self._beat())
            except NotRegistered:
                self._send({"do": "clear"})
            except (Unreachable, Refused, OSError, ValueError) as e:
                self._complain(str(e))
                self._wait(_RETRY)

    def _register(self) -> None:
        state = self._ask()
        if not self._devices:
            self._devices = self._survey()
        certificate = Path(self._node.certificate).read_text(encoding="ascii")
        each = max(1, state["sessions"] // max(1, len(self._devices)))
        rooms = {"sessions": each, "memory": each * state["memory"]}
        body = {
            "name": self._node.name,
            "address": self._node.address,
            "certificate": certificate,
            "boot": state["boot"],
            "devices": [one | rooms for one in self._devices],
        }
        if self._node.reserved_for:
            body["reserved_for"] = self._node.reserved_for
        self._service.call("PUT", self._node.path, body)
        self._certificate = certificate
        self._complain(f"registered as {self._node.name}, with {len(self._devices)} devices")

    def _beat(self) -> float:
        """Send a heartbeat; gives the seconds to the next one.

        :raises NotRegistered: there was another certificate, or the service does not know us
        """
        state = self._ask()
        body = {"boot": state["boot"], "sessions": state["present"]}
        sent = time.monotonic()
        answer = self._service.call("POST", f"{self._node.path}/heartbeats", body)
        try:
            lease = {"do": "lease", "sent": sent, "ttl": float(answer["ttl"])}
            self._send(lease | {"sessions": answer["sessions"]})
            pause = float(answer["heartbeat"])
        except (KeyError, TypeError, ValueError) as e:
            raise Unreachable(f"the answer to a heartbeat is not one: {e!r}") from e
        if Path(self._node.certificate).read_text(encoding="ascii") != self._certificate:
            self._register()
        return pause

    def _survey(self) -> list[Document]:
        """The devices of the host, as a worker has them."""
        message, descriptors = self._call({"do": "survey"})
        if not descriptors:
            raise OSError(str(message.get("error")))
        with open_on(socket.socket(fileno=descriptors[0])) as session:
            found = [session.devices.show(number) for number in session.devices.list()]
        return [_device(one) for one in found]

    def _ask(self) -> Document:
        return self._call({"do": "ask"})[0]

    def _call(self, message: Document) -> tuple[Document, list[int]]:
        self._send(message)
        self._server.settimeout(_ANSWER)
        while True:
            answer, descriptors = self._receive()
            if "poke" not in answer:
                return answer, descriptors

    def _wait(self, seconds: float) -> None:
        """Wait, but no longer than until the server wants to know something."""
        if select.select([self._server], [], [], max(0.0, seconds))[0]:
            self._receive()

    def _send(self, message: Document) -> None:
        try:
            self._server.send(json.dumps(message).encode())
        except OSError as e:
            raise ServerGone from e

    def _receive(self) -> tuple[Document, list[int]]:
        try:
            content, descriptors, _, _ = socket.recv_fds(self._server, _LARGEST, 1)
        except OSError as e:
            raise ServerGone from e
        if not content:
            raise ServerGone
        return dict(json.loads(content)), descriptors

    def _complain(self, text: str) -> None:
        """Say something, once as long as it stays the same."""
        if text != self._complaint:
            self._complaint = text
            print(text, file=sys.stderr, flush=True)


def _device(fields: typing.Mapping[str, typing.Any]) -> Document:
    kind = int(fields["type"])
    return {
        "type": next((name for bit, name in _TYPES.items() if kind & bit), "other"),
        "compute_units": int(fields["compute_units"]),
        "global_memory": int(fields["global_memory"]),
        **{name: str(fields[name])[:_LONGEST] or "unknown" for name in _TEXTS},
    }
