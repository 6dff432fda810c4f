# SPDX-License-Identifier: Apache-2.0
"""Devices and sessions of OpenCL in a real Placement."""

import typing
from pathlib import Path

import pytest

from fpga_api import errors
from fpga_api.db import opencl_sessions as rows
from fpga_api.db import schema
from fpga_api.opencl import placement as providers
from tests.support import api as support
from tests.support import opencl_nodes as nodes
from tests.support.claims import ClaimsService
from tests.support.opencl_nodes import SESSIONS, Node
from tests.support.placement import Placement


@pytest.fixture(scope="module")
def placement(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[Placement]:
    folder: Path = tmp_path_factory.mktemp("placement")
    placement = Placement(f"sqlite:///{folder / 'placement.sqlite'}")
    yield placement
    placement.close()


@pytest.fixture
def api(placement: Placement, tmp_path: Path) -> typing.Iterator[support.Api]:
    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    service = ClaimsService(placement, database={"connection": url})
    schema.sync(service.database)
    with support.Tokens():
        yield support.Api(service)


@pytest.fixture
def node(api: support.Api) -> typing.Iterator[Node]:
    node = Node(api, "node-1")
    node.register()
    yield node
    for one in api.call("GET", SESSIONS, "admin").json["sessions"]:
        api.call("DELETE", f"{SESSIONS}/{one['id']}", "admin")
    nodes.settle(api, node)
    api.call("DELETE", node.path, "service")
    providers.Providers(api.service).sync()


def _usages(placement: Placement, device: str) -> dict[str, int]:
    return dict(placement.ask("GET", f"/resource_providers/{device}/usages")["usages"])


def _inventories(placement: Placement, device: str) -> dict[str, tuple[int, int]]:
    found = placement.ask("GET", f"/resource_providers/{device}/inventories")["inventories"]
    return {name: (one["total"], one["reserved"]) for name, one in found.items()}


def test_session_has_an_allocation_of_its_device(
    api: support.Api, node: Node, placement: Placement
) -> None:
    session = nodes.session(api, memory=512)
    (device,) = node.devices()
    taken = {providers.SESSIONS: 1, providers.MEMORY: 512}
    assert _usages(placement, device) == taken
    allocation = placement.ask("GET", f"/allocations/{session}")
    assert allocation["consumer_type"] == providers.CONSUMER
    assert allocation["project_id"] == support.PROJECT
    api.call("DELETE", f"{SESSIONS}/{session}", "member")
    nodes.settle(api)
    assert _usages(placement, device) == taken  # until its node has nothing of it
    nodes.settle(api, node)
    assert set(_usages(placement, device).values()) == {0}
    assert nodes.show(api, session)["state"] == "closed"


def test_providers_follow_the_nodes(
    api: support.Api, node: Node, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = providers.Providers(api.service).sync
    (device,) = node.devices()
    sync()
    sync()
    full = {providers.SESSIONS: (2, 0), providers.MEMORY: (2048, 0)}
    assert _inventories(placement, device) == full
    traits = placement.ask("GET", f"/resource_providers/{device}/traits")["traits"]
    assert set(traits) == {providers.DEVICE, "CUSTOM_OPENCL_CPU"}
    node.register(devices=[nodes.device(sessions=3)])
    sync()
    assert _inventories(placement, device)[providers.SESSIONS] == (3, 0)
    monkeypatch.setattr(providers, "is_up", lambda _conf, _node: False)
    sync()
    assert _inventories(placement, device)[providers.SESSIONS] == (3, 3)
    api.call("DELETE", node.path, "service")
    sync()
    path = f"/resource_providers?required={providers.DEVICE}"
    assert placement.ask("GET", path)["resource_providers"] == []


def test_node_with_a_long_name_has_a_provider_for_each_device(
    api: support.Api, placement: Placement
) -> None:
    node = Node(api, "n" * 238)
    node.register(devices=[nodes.device(), nodes.device()])
    providers.Providers(api.service).sync()
    for device in node.devices():
        assert _inventories(placement, device)[providers.SESSIONS] == (2, 0)
    api.call("DELETE", node.path, "service")
    providers.Providers(api.service).sync()


def test_device_that_placement_refuses_is_in_the_way_of_no_other(
    api: support.Api, node: Node, placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Node(api, "another")
    other.register()
    (refused,), (device,) = node.devices(), other.devices()
    name = providers._name
    monkeypatch.setattr(
        providers, "_name", lambda place: "" if place[0].id == refused else name(place)
    )
    providers.Providers(api.service).sync()
    assert _inventories(placement, device)[providers.SESSIONS] == (2, 0)
    path = f"/resource_providers?uuid={refused}"
    assert placement.ask("GET", path)["resource_providers"] == []
    api.call("DELETE", other.path, "service")
    providers.Providers(api.service).sync()


def test_device_that_is_gone_stays_while_a_session_has_it(
    api: support.Api, node: Node, placement: Placement
) -> None:
    nodes.session(api)
    (device,) = node.devices()
    api.call("DELETE", node.path, "service")
    sync = providers.Providers(api.service).sync
    sync()
    assert _inventories(placement, device)
    nodes.settle(api)
    sync()
    path = f"/resource_providers?required={providers.DEVICE}"
    assert placement.ask("GET", path)["resource_providers"] == []


def test_session_without_an_answer_of_placement_ends(
    api: support.Api, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fpga_api.claims.allocations import Allocations

    def fail(*_arguments: typing.Any) -> None:
        raise errors.CloudUnavailable("no")

    with monkeypatch.context() as patch:
        patch.setattr(Allocations, "take", fail)
        answer = nodes.open_session(api)
    assert answer.json["error"]["code"] == "fpga.cloud_unavailable"
    (session,) = api.call("GET", SESSIONS, "admin").json["sessions"]
    assert (session["state"], node.beat().json["sessions"]) == ("closing", [])
    nodes.settle(api)
    assert nodes.show(api, session["id"])["state"] == "lost"


def test_session_of_an_api_that_ended_is_ended(api: support.Api, node: Node) -> None:
    session = nodes.session(api)
    stuck = {"state": rows.ALLOCATING}
    rows.change(api.service.database, session, (rows.ACTIVE,), **stuck)
    nodes.settle(api, node)
    assert nodes.show(api, session)["state"] == "allocating"
    (found,) = rows.stuck(api.service.database, nodes.FUTURE)
    assert found.id == session
    answer = api.call("DELETE", f"{SESSIONS}/{session}", "member")
    assert answer.json["session"]["state"] == "closing"
    nodes.settle(api)
    assert nodes.show(api, session)["state"] == "closed"
