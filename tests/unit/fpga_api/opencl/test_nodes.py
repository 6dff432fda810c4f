# SPDX-License-Identifier: Apache-2.0
"""Nodes of OpenCL register, are seen, get lost, and come back empty."""

import datetime
import uuid

import pytest

from fpga_api import clock
from tests.support import api as support
from tests.support import opencl_nodes as nodes
from tests.support.opencl_nodes import Node


def _stop(monkeypatch: pytest.MonkeyPatch, at: datetime.datetime, seconds: float = 0) -> None:
    """Have the clock stand still, some seconds after a time."""
    monkeypatch.setattr(clock, "now", lambda: at + datetime.timedelta(seconds=seconds))


def test_node_and_its_devices_are_shown(api: support.Api, node: Node) -> None:
    (found,) = api.call("GET", nodes.NODES, "manager").json["nodes"]
    assert (found["name"], found["state"], found["boot"]) == ("node-1", "up", node.body["boot"])
    (device,) = api.call("GET", nodes.DEVICES, "reader").json["devices"]
    assert found["devices"] == [device["id"]]
    assert (device["name"], device["node"], device["used"]) == ("pthread", "node-1", 0)
    one = api.call("GET", f"{nodes.DEVICES}/{device['id']}", "reader").json["device"]
    assert one == device
    for query, count in (("node=node-1", 1), ("node=other", 0), ("type=gpu", 0), ("limit=1", 1)):
        listed = api.call("GET", f"{nodes.DEVICES}?{query}", "reader").json["devices"]
        assert len(listed) == count, query


def test_node_is_its_user_s(api: support.Api, node: Node) -> None:
    assert api.call("GET", nodes.NODES, "service").json["nodes"]
    other = Node(api, "node-1", "admin")
    assert other.register().json["error"]["code"] == "fpga.id_taken"
    # Who has no such role learns nothing of the node, and changes nothing.
    for persona in ("member", "other-member"):
        theirs = Node(api, "node-9", persona, id=node.id)
        assert theirs.register().status_code == 404
        assert theirs.beat().status_code == 404
        assert api.call("DELETE", node.path, persona).status_code == 404
    assert node.beat().status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"address": "node 1:7"},
        {"address": "node-1"},
        {"certificate": "no"},
        {"certificate": nodes.CERTIFICATE + "-----BEGIN PRIVATE KEY-----\n"},
        {"boot": "1"},
        {"devices": [nodes.device(sessions=-1)]},
        {"devices": [nodes.device(type="toaster")]},
    ],
)
def test_registration_that_is_not_valid_is_refused(api: support.Api, change) -> None:
    assert Node(api, "node-2").register(**change).status_code == 400


def test_devices_keep_their_ids(api: support.Api, node: Node) -> None:
    (before,) = node.devices()
    node.register(devices=[nodes.device(), nodes.device(name="second")])
    assert before in node.devices()
    assert len(node.devices()) == 2
    node.register()
    assert node.devices() == [before]


def test_heartbeat_has_the_leases_of_the_node(api: support.Api, node: Node) -> None:
    opened = nodes.open_session(api, memory=512, ttl=100).json
    answer = node.beat().json
    (lease,) = answer["sessions"]
    assert lease["id"] == opened["session"]["id"]
    assert lease["token_hash"] == nodes.hashed(opened["token"])
    assert opened["token"] not in str(answer)
    assert (lease["device"], lease["memory"]) == (0, 512)
    assert 0 < lease["seconds"] <= 100
    assert 100 < lease["token_seconds"] <= 600
    assert (answer["ttl"], answer["heartbeat"]) == (15, 1.0)


def test_heartbeat_of_a_node_that_is_not_registered_is_a_conflict(
    api: support.Api, node: Node
) -> None:
    stranger = Node(api, "node-2", body=nodes.registration("node-2"))
    assert stranger.beat().json["error"]["code"] == "fpga.node_unknown"
    node.body["boot"] = str(uuid.uuid4())
    assert node.beat().json["error"]["code"] == "fpga.node_unknown"


def test_node_that_starts_again_is_empty(api: support.Api, node: Node) -> None:
    session = nodes.session(api)
    node.beat()
    assert node.present == [session]
    assert node.register().status_code == 200
    assert node.beat().json["sessions"] == []
    nodes.settle(api)
    found = nodes.show(api, session)
    assert (found["state"], found["fault"]["code"]) == ("lost", "fpga.node_restarted")


def test_node_that_registers_the_same_start_again_keeps_its_sessions(
    api: support.Api, node: Node
) -> None:
    session = nodes.session(api)
    node.register(boot=node.body["boot"])
    node.beat()
    assert node.present == [session]


def test_silent_node_and_its_sessions_are_lost(
    api: support.Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now()
    _stop(monkeypatch, start)
    node.beat()
    other = Node(api, "node-2")
    other.register(devices=[nodes.device(type="gpu")])
    session, safe = nodes.session(api, type="cpu"), nodes.session(api, type="gpu")
    _stop(monkeypatch, start, 14)
    other.beat()
    nodes.settle(api)
    assert nodes.show(api, session)["state"] == "active"
    _stop(monkeypatch, start, 18)
    nodes.settle(api)
    found = nodes.show(api, session)
    assert (found["state"], found["fault"]["code"]) == ("lost", "fpga.node_lost")
    assert nodes.show(api, safe)["state"] == "active"
    states = {
        one["name"]: one["state"] for one in api.call("GET", nodes.NODES, "manager").json["nodes"]
    }
    assert states == {"node-1": "lost", "node-2": "up"}
    assert nodes.open_session(api, type="cpu").json["error"]["code"] == "fpga.none_free"
    # It was gone for a while, and has lost all it had by itself.
    assert node.beat().json["sessions"] == []
    assert nodes.open_session(api, type="cpu").status_code == 201


def test_node_unregisters_twice(api: support.Api, node: Node) -> None:
    session = nodes.session(api)
    for _ in range(2):
        assert api.call("DELETE", node.path, "service").status_code == 204
    nodes.settle(api)
    found = nodes.show(api, session)
    assert (found["state"], found["node"], found["address"]) == ("lost", None, None)
    assert found["fault"]["code"] == "fpga.node_unregistered"
    assert api.call("GET", nodes.DEVICES, "reader").json["devices"] == []
    assert node.beat().status_code == 409
    assert node.register().status_code == 200


def test_reserved_node_is_for_its_project_alone(api: support.Api) -> None:
    node = Node(api, "node-2")
    node.register(reserved_for=support.PROJECT)
    (device,) = node.devices()
    path = f"{nodes.DEVICES}/{device}"
    assert api.call("GET", path, "reader").status_code == 200
    assert api.call("GET", path, "other-reader").status_code == 404
    assert api.call("GET", nodes.DEVICES, "other-reader").json["devices"] == []
    assert nodes.open_session(api, "other-member").status_code == 409
    assert nodes.open_session(api, "other-member", device=device).status_code == 404
    assert nodes.open_session(api, device=device).status_code == 201
