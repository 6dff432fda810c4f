# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that speaks as much of Keystone v3 and Glance v2 as fpga-cli asks for."""

import dataclasses
import hashlib
import http.server
import json
import re
import threading
import time
import types
import typing
import urllib.parse
import uuid

USER, PASSWORD, TOKEN = "nova", "secret", "a-token"

#: What Glance's schema of an image has beside its free properties.
_BASE = ("id", "status", "container_format", "os_hash_algo", "os_hash_value", "size", "visibility")
_BASE += ("owner", "file", "updated_at")


@dataclasses.dataclass
class Image:
    """An image and what Glance tells of it; None for what it does not tell.

    :ivar properties: what its maker says of it
    """

    data: bytes
    container_format: str | None = "fpga"
    status: str = "active"
    os_hash_algo: str | None = "sha512"
    os_hash_value: str | None = None
    size: int | None = None
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    properties: dict[str, typing.Any] = dataclasses.field(default_factory=dict)

    def record(self) -> dict[str, typing.Any]:
        """The image as Glance shows it."""
        own = {k: v for k, v in vars(self).items() if k not in ("data", "properties")}
        record = self.properties | own
        if self.os_hash_value is None:
            record["os_hash_value"] = hashlib.sha512(self.data).hexdigest()
        return record | {"size": len(self.data) if self.size is None else self.size}


class OpenStack:
    """The server; a context manager that stops it.

    :ivar asked: path of each request so far
    :ivar answers: an HTTP status for requests whose path matches a pattern
    :ivar words: HTML with those
    :ivar delay: seconds between the halves of an image's data, and before an upload is taken
    :ivar damage: bytes that are added to what is uploaded
    :ivar token: what Keystone gives and Glance takes
    :ivar expiry: the time until which it is good, as Keystone tells it
    :ivar glance: Glance's address in the catalogue
    """

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.requests: list[str] = []
        self.answers: dict[str, int] = {}
        self.versioned = False
        self.delay = 0.0
        self.words, self.damage = "", b""
        self.token, self.expiry = TOKEN, "2999-01-01T00:00:00.000000Z"
        handler = type("Handler", (_Handler,), {"cloud": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = self.glance = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it; its port refuses connections from then on."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, data: bytes, **record: typing.Any) -> str:
        """Upload an image; its id."""
        image = Image(data, **record)
        self.images[image.id] = image
        return image.id

    @property
    def logins(self) -> int:
        """How often a token was asked for."""
        return sum(path == "/v3/auth/tokens" for path in self.requests)

    @property
    def downloads(self) -> int:
        """How often data of an image was asked for."""
        return sum(path.endswith("/file") for path in self.requests)

    def options(self, **changes: str) -> str:
        """The group `glance` of fpga-cli.conf that reaches it."""
        options = {
            "auth_type": "v3password",
            "auth_url": f"{self.url}/v3",
            "username": USER,
            "password": PASSWORD,
            "user_domain_name": "Default",
            "project_name": "service",
            "project_domain_name": "Default",
        }
        lines = [f"{name} = {value}" for name, value in (options | changes).items()]
        return "\n".join(["[glance]", *lines, ""])


class _Handler(http.server.BaseHTTPRequestHandler):
    cloud: OpenStack

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._fails():
            return
        if self.path == "/v2/images":
            own = {key: question.pop(key) for key in ("id", "container_format")}
            image = Image(b"", status="queued", properties=question, **own)
            self.cloud.images[image.id] = image
            self._answer(201, image.record())
            return
        user = question["auth"]["identity"]["password"]["user"]
        if (user["name"], user["password"]) != (USER, PASSWORD):
            self._answer(401, {"error": {"code": 401, "message": "no"}})
            return
        url = self.cloud.glance + ("/v2" if self.cloud.versioned else "")
        endpoint = {"interface": "public", "url": url, "region_id": "one", "id": "e", "region": "1"}
        token = {
            "methods": ["password"],
            "expires_at": self.cloud.expiry,
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": USER, "domain": {"id": "default", "name": "Default"}},
            "catalog": [{"type": "image", "name": "glance", "id": "s", "endpoints": [endpoint]}],
        }
        self._answer(201, {"token": token}, {"X-Subject-Token": self.cloud.token})

    def do_GET(self) -> None:
        if self._fails():
            return
        if self.headers.get("X-Auth-Token") != self.cloud.token:
            self._answer(401, {})
            return
        if self.path == "/v2/schemas/image":
            self._answer(200, {"name": "image", "properties": {key: {} for key in _BASE}})
            return
        question = urllib.parse.urlsplit(self.path)
        if question.path == "/v2/images":
            self._answer(200, self._page(urllib.parse.parse_qs(question.query)))
            return
        path = re.fullmatch(r"/v2/images/([0-9a-f-]+)(/file)?", self.path)
        image = self.cloud.images.get(path[1]) if path else None
        if path is None or image is None:
            self._answer(404, {})
        elif path[2]:
            self._send(image.data)
        else:
            self._answer(200, image.record())

    def _page(self, question: dict[str, list[str]]) -> dict[str, typing.Any]:
        """Images with a tag and a container format, the latest first, one on a page."""
        (tag,), (container,) = question["tag"], question["container_format"]
        found = [
            image.record()
            for image in reversed(self.cloud.images.values())
            if tag in image.properties.get("tags", ()) and image.container_format == container
        ]
        at = int(question.get("marker", ["0"])[0])
        query = urllib.parse.urlencode({"tag": tag, "container_format": container})
        more = {"next": f"/v2/images?{query}&marker={at + 1}"} if at + 1 < len(found) else {}
        return {"images": found[at : at + 1]} | more

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.cloud.delay)
        if self._fails():
            return
        image = self.cloud.images.get(self.path.split("/")[3])
        if image is not None:
            image.data, image.status = data + self.cloud.damage, "active"
        self._answer(404 if image is None else 204, {})

    def do_DELETE(self) -> None:
        if self._fails():
            return
        known = self.cloud.images.pop(self.path.split("/")[3], None)
        self._answer(404 if known is None else 204, {})

    def _fails(self) -> bool:
        self.cloud.requests.append(self.path)
        for pattern, status in self.cloud.answers.items():
            if re.search(pattern, self.path):
                self._answer(status, {}, text=self.cloud.words)
                return True
        return False

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        self.wfile.flush()
        time.sleep(self.cloud.delay)
        self.wfile.write(data[half:])

    def _answer(
        self,
        status: int,
        record: dict[str, typing.Any],
        headers: dict[str, str] | None = None,
        text: str = "",
    ) -> None:
        body = b"" if status == 204 else text.encode() or json.dumps(record).encode()
        self.send_response(status)
        kind = "text/html" if text else "application/json"
        all_headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in (all_headers | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: typing.Any) -> None:
        """Say nothing."""
