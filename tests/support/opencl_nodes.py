# SPDX-License-Identifier: Apache-2.0
"""Node servers of OpenCL as fpga-api sees them."""

import dataclasses
import datetime
import hashlib
import typing
import uuid

from werkzeug.test import TestResponse

from fpga_api.opencl import work
from tests.support import api as support

NODES, DEVICES = "/v1/opencl/nodes", "/v1/opencl/devices"
SESSIONS = "/v1/opencl/sessions"
#: In the form of one.
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

#: After everything.
FUTURE = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)

Document = dict[str, typing.Any]


def device(**values: typing.Any) -> Document:
    """A device as a node reports it: two sessions of 1 GiB."""
    members = {"name": "pthread", "vendor": "pocl", "version": "OpenCL 3.0", "type": "cpu"}
    amounts = {"compute_units": 2, "global_memory": 1 << 31, "sessions": 2, "memory": 2048}
    return {"driver_version": "3.1"} | members | amounts | values


def registration(name: str, **values: typing.Any) -> Document:
    """The body of a request that registers a node."""
    address = {"address": f"{name}.example.org:7691", "certificate": CERTIFICATE}
    known = {"name": name, "boot": str(uuid.uuid4()), "devices": [device()]}
    return known | address | values


@dataclasses.dataclass
class Node:
    """A node server that does what it is told.

    :ivar present: ids of the sessions of which it has something
    """

    api: support.Api
    name: str
    persona: str = "service"
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    body: Document = dataclasses.field(default_factory=dict)
    present: list[str] = dataclasses.field(default_factory=list)

    @property
    def path(self) -> str:
        """Of the node."""
        return f"{NODES}/{self.id}"

    def register(self, **values: typing.Any) -> TestResponse:
        """Start: with a boot of its own, and with nothing."""
        self.body, self.present = registration(self.name, **values), []
        return self.api.call("PUT", self.path, self.persona, json=self.body)

    def beat(self) -> TestResponse:
        """Send a heartbeat, and serve what the answer has."""
        body = {"boot": self.body["boot"], "sessions": self.present}
        answer = self.api.call("POST", f"{self.path}/heartbeats", self.persona, json=body)
        if answer.status_code == 200:
            self.present = [one["id"] for one in answer.json["sessions"]]
        return answer

    def devices(self) -> list[str]:
        """Ids of its devices, as operators see them."""
        answer = self.api.call("GET", self.path, "manager")
        return list(answer.json["node"]["devices"])


def open_session(api: support.Api, persona: str = "member", **body: typing.Any) -> TestResponse:
    """Ask for a session."""
    return api.call("POST", SESSIONS, persona, json=body)


def session(api: support.Api, persona: str = "member", **body: typing.Any) -> str:
    """The id of a new session."""
    answer = open_session(api, persona, **body)
    assert answer.status_code == 201, answer.json
    return str(answer.json["session"]["id"])


def show(api: support.Api, session_id: str, persona: str = "admin") -> Document:
    """What the API says of a session."""
    return dict(api.call("GET", f"{SESSIONS}/{session_id}", persona).json["session"])


def settle(api: support.Api, *nodes: Node) -> None:
    """Have the engine look, the nodes hear of it, and the engine look again."""
    engine = work.Work(api.service)
    engine.run()
    for _ in range(2):  # what a node learns by one heartbeat, it reports by the next
        for node in nodes:
            node.beat()
    engine.run()


def hashed(token: str) -> str:
    """What a node gets of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
