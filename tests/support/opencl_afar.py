# SPDX-License-Identifier: Apache-2.0
"""A node server that registers at an fpga-api of the tests, and sessions on it."""

import configparser
import contextlib
import dataclasses
import datetime
import json
import socket
import threading
import typing
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fpga_api import service
from fpga_api.db import schema
from fpga_api.opencl import work
from fpga_opencl import client
from tests.support import api as support
from tests.support import loopback, opencl
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until

#: Seconds of the tests' service: a node is lost after so long, and is heard of so often.
TTL, HEARTBEAT = 12, 0.2
_LONG = 120  # seconds for a node to load OpenCL and to register


def certificate(folder: Path, days: float = 1, name: str = "node") -> tuple[Path, Path]:
    """Files of a certificate that signs itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=days)
    certificate_ = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - datetime.timedelta(days=1))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(certificate_.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return public, private


@contextlib.contextmanager
def reserved_address() -> typing.Iterator[str]:
    """An address that nobody else gets; a server that may use one again can listen on it."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{one.getsockname()[1]}"


def keep(place: client.Place, file: Path) -> None:
    """Write what the agent reads of a session."""
    session = {"id": place.session, "address": place.address, "certificate": place.certificate}
    file.write_text(json.dumps({"session": session, "token": place.token}))


@dataclasses.dataclass
class Cloud:
    """The service, at an address.

    :ivar gate: while it is set, the service answers
    """

    api: support.Api
    url: str
    gate: threading.Event

    def state(self, name: str) -> str | None:
        """Of a node, as operators see it."""
        found = self.api.call("GET", nodes.NODES, "manager").json["nodes"]
        return next((one["state"] for one in found if one["name"] == name), None)

    def place(self, **body: typing.Any) -> client.Place:
        """Where a new session is."""
        answer = nodes.open_session(self.api, **{"memory": 1024, **body})
        assert answer.status_code == 201, answer.json
        return client.Place.of_answer(answer.json)

    def close(self, place: client.Place) -> None:
        """End a session, and wait until its node has nothing of it."""
        answer = self.api.call("DELETE", f"{nodes.SESSIONS}/{place.session}", "member")
        assert answer.status_code == 202, answer.json
        wait_until(self.is_settled, TTL)

    def look(self) -> None:
        """Have the engine look at the sessions."""
        work.Work(self.api.service).run()

    def is_settled(self) -> bool:
        """Whether no node has anything of a session that has ended."""
        self.look()
        answer = self.api.call("GET", f"{nodes.SESSIONS}?state=closing", "admin")
        return answer.json["sessions"] == []


@contextlib.contextmanager
def cloud(folder: Path) -> typing.Iterator[Cloud]:
    """A service with a database in a folder."""
    url = f"sqlite:///{folder / 'fpga.sqlite'}"
    options = {"node_ttl": TTL, "heartbeat": HEARTBEAT, "placement": False}
    conf = support.configuration(database={"connection": url}, opencl=options)
    gate = threading.Event()
    gate.set()
    with support.Tokens():
        api = support.Api(service.Service(conf))
        schema.sync(api.service.database)

        def application(environ: typing.Any, start: typing.Any) -> typing.Any:
            if not gate.is_set():
                start("503 Service Unavailable", [("Content-Length", "0")])
                return [b""]
            return api.app.wsgi_app(environ, start)

        with loopback.serve(application) as address:
            yield Cloud(api, address, gate)


@contextlib.contextmanager
def serving(
    folder: Path, name: str, credentials: typing.Mapping[str, str], *options: str
) -> typing.Iterator[opencl.Node]:
    """A node server that registers.

    :param credentials: how it authenticates itself, and finds the service
    """
    public, private = certificate(folder, name=name)
    with reserved_address() as address:
        file, conf = folder / f"{name}.conf", configparser.RawConfigParser()
        conf["opencl_node"] = {"name": name, "address": address}
        conf["service_credentials"] = credentials
        with file.open("w") as output:
            conf.write(output)
        words = ["--listen", address, "--certificate", str(public), "--key", str(private)]
        words += ["--config-file", str(file), "--memory", "1", "--sessions", "4", *options]
        with opencl.serving(folder, *words) as running:
            yield running


@contextlib.contextmanager
def node(
    cloud: Cloud, folder: Path, name: str = "node-1", *options: str
) -> typing.Iterator[opencl.Node]:
    """A node server that has registered."""
    credentials = {"auth_type": "admin_token", "token": "service", "endpoint": cloud.url}
    credentials["endpoint_override"] = cloud.url
    with serving(folder, name, credentials, *options) as running:
        wait_until(lambda: cloud.state(name) == "up", _LONG)
        yield running
