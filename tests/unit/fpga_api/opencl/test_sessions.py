# SPDX-License-Identifier: Apache-2.0
"""Sessions of OpenCL: opened, renewed and ended, with tokens that nobody keeps."""

import datetime
import uuid

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_limit import fixture as limit_fixture

from fpga_api import clock
from fpga_api.db import opencl_sessions as rows
from fpga_api.opencl import create
from fpga_api.schemas import opencl as schemas
from tests.support import api as support
from tests.support import opencl_nodes as nodes
from tests.support.opencl_nodes import SESSIONS, Node


def test_schema_has_the_states_of_the_database() -> None:
    assert schemas.STATES == rows.STATES


def test_session_is_opened_and_ended(api: support.Api, node: Node) -> None:
    opened = nodes.open_session(api, memory=512).json
    session = opened["session"]
    assert (session["state"], session["memory"], session["ttl"]) == ("active", 512, 3600)
    assert session["address"] == node.body["address"]
    assert session["certificate"] == nodes.CERTIFICATE
    assert session["project_id"] == support.PROJECT
    node.beat()
    assert node.present == [session["id"]]
    path = f"{SESSIONS}/{session['id']}"
    for _ in range(2):
        answer = api.call("DELETE", path, "member")
        assert (answer.status_code, answer.json["session"]["state"]) == (202, "closing")
    # Its room is taken until the node has nothing of it.
    nodes.settle(api)
    assert nodes.show(api, session["id"])["state"] == "closing"
    nodes.settle(api, node)
    assert node.present == []
    assert nodes.show(api, session["id"])["state"] == "closed"
    answer = api.call("DELETE", path, "member")
    assert (answer.status_code, answer.json["session"]["state"]) == (202, "closed")


def test_token_is_in_one_answer_and_in_no_row(api: support.Api, node: Node) -> None:
    opened = nodes.open_session(api).json
    path = f"{SESSIONS}/{opened['session']['id']}"
    for answer in (api.call("GET", path, "member"), api.call("GET", SESSIONS, "member")):
        assert opened["token"] not in answer.text
        assert nodes.hashed(opened["token"]) not in answer.text
    with api.service.database.begin() as connection:
        content = str(connection.execute(sa.text("SELECT * FROM opencl_sessions")).all())
    assert opened["token"] not in content
    assert nodes.hashed(opened["token"]) in content


def test_new_token_replaces_the_one_before(api: support.Api, node: Node) -> None:
    opened = nodes.open_session(api).json
    path = f"{SESSIONS}/{opened['session']['id']}"
    answer = api.call("POST", f"{path}/tokens", "member")
    assert answer.status_code == 201
    assert answer.json["token"] != opened["token"]
    (lease,) = node.beat().json["sessions"]
    assert lease["token_hash"] == nodes.hashed(answer.json["token"])
    api.call("DELETE", path, "member")
    answer = api.call("POST", f"{path}/tokens", "member")
    assert answer.json["error"]["code"] == "fpga.session_ended"


def test_device_gets_as_many_sessions_as_it_has_room_for(api: support.Api, node: Node) -> None:
    first, _ = nodes.session(api, memory=64), nodes.session(api, memory=64)
    assert nodes.open_session(api, memory=64).json["error"]["code"] == "fpga.none_free"
    api.call("DELETE", f"{SESSIONS}/{first}", "member")
    assert nodes.open_session(api, memory=64).status_code == 409
    nodes.settle(api, node)
    assert nodes.open_session(api, memory=64).status_code == 201


def test_device_gives_no_more_memory_than_it_has(api: support.Api, node: Node) -> None:
    nodes.session(api, memory=1500)
    assert nodes.open_session(api, memory=549).status_code == 409
    assert nodes.open_session(api, memory=548).status_code == 201


def test_sessions_go_to_the_emptiest_device(api: support.Api, node: Node) -> None:
    other = Node(api, "node-2")
    other.register(devices=[nodes.device(sessions=4, type="gpu")])
    for persona in ("member", "member", "other-member"):
        nodes.session(api, persona, memory=64)
    used = {
        one["node"]: one["used"] for one in api.call("GET", nodes.DEVICES, "reader").json["devices"]
    }
    assert used in ({"node-1": 1, "node-2": 2}, {"node-1": 2, "node-2": 1})
    for narrow in ({"node": "node-2"}, {"type": "gpu"}):
        answer = nodes.open_session(api, memory=64, **narrow)
        assert answer.json["session"]["node"] == "node-2"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"device": str(uuid.UUID(int=9))}, 404, "fpga.not_found"),
        ({"node": "elsewhere"}, 409, "fpga.none_free"),
        ({"type": "gpu"}, 409, "fpga.none_free"),
        ({"memory": 4096}, 409, "fpga.none_free"),
        ({"memory": 1}, 400, "fpga.bad_request"),
        ({"ttl": 0}, 400, "fpga.bad_request"),
        ({"host": "node-1"}, 400, "fpga.bad_request"),
    ],
)
def test_session_that_cannot_be_is_refused_and_leaves_nothing(
    api: support.Api, node: Node, body, status: int, code: str
) -> None:
    answer = nodes.open_session(api, **body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert api.call("GET", SESSIONS, "admin").json["sessions"] == []


def test_request_with_the_same_id_is_one_session(api: support.Api, node: Node) -> None:
    own = str(uuid.uuid4())
    first = nodes.open_session(api, id=own, ttl=50).json
    again = nodes.open_session(api, id=own, ttl=50)
    assert (again.status_code, again.json["session"]["id"]) == (201, own)
    (lease,) = node.beat().json["sessions"]
    assert lease["token_hash"] == nodes.hashed(again.json["token"]) != nodes.hashed(first["token"])
    for persona, ttl in (("member", 51), ("other-member", 50)):
        other = nodes.open_session(api, persona, id=own, ttl=ttl)
        assert other.json["error"]["code"] == "fpga.id_taken"


def test_session_expires_unless_it_is_renewed(
    api: support.Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now()
    monkeypatch.setattr(clock, "now", lambda: start)
    short, long = nodes.session(api, ttl=5, memory=64), nodes.session(api, ttl=5, memory=64)
    answer = api.call("PATCH", f"{SESSIONS}/{long}", "member", json={"ttl": 1_000_000_000})
    assert answer.json["session"]["ttl"] == 86400
    monkeypatch.setattr(clock, "now", lambda: start + datetime.timedelta(seconds=6))
    nodes.settle(api, node)
    assert nodes.show(api, short)["state"] == "expired"
    assert nodes.show(api, long)["state"] == "active"
    assert node.present == [long]
    answer = api.call("PATCH", f"{SESSIONS}/{short}", "member", json={"ttl": 5})
    assert answer.json["error"]["code"] == "fpga.session_ended"


def test_session_is_its_project_s(api: support.Api, node: Node) -> None:
    session = nodes.session(api)
    path = f"{SESSIONS}/{session}"
    assert api.call("GET", path, "reader").status_code == 200
    for persona in ("other-reader", "other-member", "service"):
        assert api.call("GET", path, persona).status_code == 404
    for method, more, body in (
        ("PATCH", "", {"ttl": 5}),
        ("POST", "/tokens", None),
        ("DELETE", "", None),
    ):
        answer = api.call(method, path + more, "other-member", json=body)
        assert answer.status_code == 404, method
        answer = api.call(method, path + more, "reader", json=body)
        assert answer.status_code == 403, method
    assert api.call("GET", SESSIONS, "other-member").json["sessions"] == []
    assert api.call("GET", f"{SESSIONS}?state=active", "reader").json["sessions"]
    assert api.call("GET", f"{SESSIONS}?state=lost", "reader").json["sessions"] == []
    query = f"{SESSIONS}?project={support.PROJECT}"
    assert api.call("GET", query, "other-member").json["sessions"] == []
    assert api.call("GET", query, "admin").json["sessions"]


def test_sessions_come_in_pages(api: support.Api) -> None:
    Node(api, "node-2").register(devices=[nodes.device(sessions=5)])
    ids = sorted(nodes.session(api, memory=64) for _ in range(5))
    found, path = [], f"{SESSIONS}?limit=2"
    while path:
        answer = api.call("GET", path, "member").json
        found += [one["id"] for one in answer["sessions"]]
        path = answer["next"]
    assert found == ids


@pytest.mark.parametrize(
    ("limits", "bodies"),
    [({create.SESSIONS: 1}, [64, 64]), ({create.MEMORY: 200}, [128, 128])],
)
def test_project_has_no_more_than_its_limits(
    api: support.Api, node: Node, limits: dict[str, int], bodies: list[int]
) -> None:
    api.service.conf.set_override("unified_limits", True, "opencl")
    registered = {create.SESSIONS: 10, create.MEMORY: 4096} | limits
    with limit_fixture.LimitFixture(registered, {}):
        cfg.CONF.set_override("endpoint_id", "e", "oslo_limit")
        try:
            statuses = [nodes.open_session(api, memory=one).status_code for one in bodies]
        finally:
            cfg.CONF.clear_override("endpoint_id", "oslo_limit")
    assert statuses == [201, 413]
