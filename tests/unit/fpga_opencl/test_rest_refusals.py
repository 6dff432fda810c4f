# SPDX-License-Identifier: Apache-2.0
"""Requests of REST that a node refuses, and sessions that end; real service, node and pocl."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import typing
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_opencl.afar import opening
from fpga_opencl.node import desks
from fpga_opencl.rest import schemas
from tests.support import opencl, opencl_afar
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until
from tests.support.opencl_rest import Rest, raw

DEVICES = "/os-opencldevices"


@pytest.fixture
def place(cloud: opencl_afar.Cloud, serving: opencl.Node) -> typing.Iterator[client.Place]:
    """A session that nobody has used."""
    one = cloud.place(memory=512)
    yield one
    end(cloud, one)
    wait_until(cloud.is_settled)
    serving.wait(0)


def end(cloud: opencl_afar.Cloud, place: client.Place) -> None:
    cloud.api.call("DELETE", f"{nodes.SESSIONS}/{place.session}", "admin")


@pytest.fixture
def rest(place: client.Place) -> typing.Iterator[Rest]:
    """A session with a worker."""
    one = Rest(place)
    with contextlib.closing(one):
        one.get(DEVICES)
        yield one


def headers(place: client.Place, *more: str, path: str = DEVICES, method: str = "POST") -> bytes:
    """The head of a request."""
    lines = [
        f"{method} /v1/opencl/sessions/{place.session}{path} HTTP/1.1",
        f"Authorization: Bearer {place.token}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_token_that_opens_nothing_is_refused_before_opencl_is_loaded(
    cloud: opencl_afar.Cloud,
    serving: opencl.Node,
    place: client.Place,
) -> None:
    other = cloud.place(memory=64)
    stranger = "00000000-0000-0000-0000-000000000009"
    for wrong in (
        place._replace(token="x" * 43),
        place._replace(token=other.token),
        place._replace(session=other.session),
        place._replace(session=stranger),
    ):
        status, answer = Rest(wrong).ask("GET", DEVICES)
        assert (status, list(answer)) == (404, ["error"])
    line, *_ = headers(place, method="GET").split(b"\r\n")
    for field in (
        b"Accept: */*",
        b"Authorization: Basic YTpi",
        b"Authorization: Bearer " + bytes(9),
    ):
        assert raw(place, b"\r\n".join([line, field, b"", b""]))[0] == 401
    assert serving.sessions() == []
    end(cloud, other)


def test_token_that_was_replaced_is_refused(cloud: opencl_afar.Cloud, rest: Rest) -> None:
    path = f"{nodes.SESSIONS}/{rest.place.session}/tokens"
    token = cloud.api.call("POST", path, "member").json["token"]
    wait_until(lambda: Rest(rest.place).ask("GET", DEVICES)[0] == 404)
    assert Rest(rest.place._replace(token=token)).ask("GET", DEVICES)[0] == 200
    assert rest.ask("GET", DEVICES)[0] == 200  # what is open stays open


@pytest.mark.skipif(not all(map(shutil.which, ("curl", "jq"))), reason="curl or jq is missing")
def test_walk_of_the_documentation(
    cloud: opencl_afar.Cloud, serving: opencl.Node, tmp_path: Path
) -> None:
    page = (opencl.ROOT / "docs/opencl-rest.md").read_text()
    script, shown = (
        "".join(re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
        for kind in ("sh", "text")
    )
    environment = os.environ | {"FPGA_URL": cloud.url, "OS_TOKEN": "member"}
    done = subprocess.run(
        ["sh", "-euc", script],
        cwd=tmp_path,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout == shown
    session = json.loads((tmp_path / "ended.json").read_text())["session"]
    assert session["state"] == "closing"
    wait_until(cloud.is_settled)
    serving.wait(0)


def test_session_is_of_rest_or_of_messages(place: client.Place) -> None:
    with client.open_afar(place):
        assert Rest(place).ask("GET", DEVICES)[0] == 409
    wait_until(lambda: Rest(place).ask("GET", DEVICES)[0] == 200)
    with pytest.raises(client.RefusedError) as caught:
        client.open_afar(place)
    assert caught.value.code == opening.NO_ROOM


def test_worker_that_was_lost_is_not_replaced_by_an_empty_one(
    serving: opencl.Node,
    rest: Rest,
) -> None:
    os.kill(serving.wait(1)[0], signal.SIGKILL)
    wait_until(lambda: not serving.sessions())
    for _ in range(2):
        status, answer = Rest(rest.place).ask("GET", DEVICES)
        assert (status, list(answer)) == (410, ["error"])
    assert serving.sessions() == []


def test_worker_ends_with_its_lease(
    cloud: opencl_afar.Cloud,
    serving: opencl.Node,
    rest: Rest,
) -> None:
    rest.close()
    serving.wait(1)  # the worker waits for the next connection
    end(cloud, rest.place)
    wait_until(lambda: not serving.sessions())
    assert Rest(rest.place).ask("GET", DEVICES)[0] == 404


def test_connection_is_open_for_one_token(rest: Rest) -> None:
    path = f"/v1/opencl/sessions/{rest.place.session}{DEVICES}"
    other = {"Authorization": "Bearer " + "x" * 43}
    assert rest.send("GET", path, headers=other)[0] == 401
    assert rest.ask("GET", DEVICES)[0] == 200  # on a new connection


def test_session_has_so_many_connections(rest: Rest) -> None:
    more = [Rest(rest.place) for _ in range(desks.MOST)]
    found = [one.ask("GET", DEVICES)[0] for one in more]
    assert found == [200] * (desks.MOST - 1) + [429]
    for one in more:
        one.close()
    wait_until(lambda: Rest(rest.place).ask("GET", DEVICES)[0] == 200)


BODIES = {
    "no JSON": (400, b"{"),
    "no UTF-8": (400, b'{"Devices": "\xff"}'),
    "UTF-16": (400, '{"Devices": []}'.encode("utf-16")),
    "a list": (400, b"[]"),
    "a text": (400, b'"Devices"'),
    "missing": (400, b""),
    "a fraction": (400, b'{"Devices": [{"Device": 1.0}]}'),
    "no number": (400, b'{"Devices": [{"Device": NaN}]}'),
    "a truth": (400, b'{"Devices": [{"Device": true}]}'),
    "a negative number": (400, b'{"Devices": [{"Device": -1}]}'),
    "a large number": (400, b'{"Devices": [{"Device": 18446744073709551616}]}'),
    "a huge number": (400, b'{"Devices": [{"Device": ' + b"9" * 100_000 + b"}]}"),
    "too deep": (400, b"[" * 500_000),
    "too many": (400, json.dumps({"Devices": [{"Device": 1}] * 65}).encode()),
    "another field": (400, b'{"Devices": [{"Device": 1}], "Color": 1}'),
    "another device": (409, b'{"Devices": [{"Device": 18446744073709551615}]}'),
    "too large": (413, b" " * (schemas.BODY + 1)),
}


def test_hostile_body_is_refused(rest: Rest) -> None:
    path = f"/v1/opencl/sessions/{rest.place.session}/os-openclcontexts"
    token = {"Authorization": f"Bearer {rest.place.token}"}
    found = {}
    for name, (_, body) in BODIES.items():
        status, answer = rest.send("POST", path, body, token)
        found[name] = status, body
        assert 0 < len(answer["error"]) < 300
    assert found == BODIES
    context = rest.create("contexts", Devices=[{"Device": 1}])
    surrogate = {"Context": context, "ListProgramStrings": [{"ProgramString": "\ud800"}]}
    assert rest.ask("POST", "/os-openclprograms", surrogate)[0] == 400


REQUESTS = {
    "unknown path": (404, {"path": "/os-openclcolours"}, ()),
    "unknown action": (404, {"path": "/os-openclcontexts/1/paint"}, ()),
    "no number": (404, {"path": "/os-openclcontexts/-1"}, ()),
    "no such number": (404, {"method": "GET", "path": "/os-openclevents/18446744073709551616"}, ()),
    "the session alone": (404, {"path": ""}, ()),
    "another method": (405, {"path": DEVICES}, ("Content-Length: 0",)),
    "unknown method": (501, {"method": "BREW"}, ()),
    "no length": (411, {}, ("Transfer-Encoding: chunked",)),
    "wrong length": (400, {}, ("Content-Length: -1",)),
    "two lengths": (400, {}, ("Content-Length: 0", "Content-Length: 1")),
    "many headers": (431, {}, ("X: y",) * 200),
    "large headers": (431, {}, ("X: " + "y" * 20_000,)),
    "two tokens": (401, {}, ("Authorization: Bearer " + "x" * 43,)),
}


def test_hostile_request_is_refused(rest: Rest) -> None:
    found = {}
    for name, (_, words, more) in REQUESTS.items():
        status, answer = raw(rest.place, headers(rest.place, *more, **words))
        found[name] = status, words, more
        assert list(answer) == ["error"]
    assert found == REQUESTS
    for line in (b"GET / HTTP/1.1", b"GET /v1", b"GET  HTTP/9.9", b"BLAH"):
        assert raw(rest.place, line + b"\r\n\r\n")[0] in (400, 404)
    assert raw(rest.place, b"\x16\3\1\0") == (0, {})
    assert rest.ask("GET", DEVICES)[0] == 200
