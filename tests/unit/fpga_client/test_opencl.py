# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga opencl …``, asked of the real application."""

import json
import pathlib
import typing

import pytest

from fpga_api import service
from fpga_api.db import schema
from tests.support import api as support
from tests.support import opencl_nodes as nodes
from tests.support.client import OpenStack


class As(typing.Protocol):
    """The command of somebody: its status, its rows, and its warnings."""

    def __call__(self, persona: str, *words: str) -> tuple[int, typing.Any, str]:
        """Run it."""


@pytest.fixture
def api(tmp_path: pathlib.Path) -> typing.Iterator[support.Api]:
    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    with support.Tokens():
        found = service.Service(
            support.configuration(database={"connection": url}, opencl={"placement": False})
        )
        schema.sync(found.database)
        yield support.Api(found)


@pytest.fixture
def node(api: support.Api) -> nodes.Node:
    node = nodes.Node(api, "node-1")
    node.register()
    return node


@pytest.fixture
def run(openstack: OpenStack, address: str, monkeypatch: pytest.MonkeyPatch) -> As:
    def run(persona: str, *words: str) -> tuple[int, typing.Any, str]:
        monkeypatch.setenv("OS_TOKEN", persona)
        formats = () if "delete" in words else ("-f", "json")
        result = openstack("fpga", "opencl", *words, *formats)
        return result.status, json.loads(result.out or "null"), result.err

    return run


def test_nodes_and_devices_are_shown(run: As, node: nodes.Node) -> None:
    _, (listed,), _ = run("manager", "node", "list")
    assert (listed["Name"], listed["State"]) == ("node-1", "up")
    _, shown, _ = run("manager", "node", "show", node.id)
    _, (device,), _ = run("member", "device", "list", "--type", "cpu", "--node", "node-1")
    assert shown["Devices"] == [device["ID"]]
    assert run("member", "device", "list", "--type", "gpu")[1] == []
    _, found, _ = run("member", "device", "show", device["ID"])
    assert (found["Vendor"], found["Sessions"], found["Used"]) == ("pocl", 2, 0)
    status, _, why = run("member", "node", "list")
    assert status == 1
    assert "Ask for the role" in why


def test_session_is_opened_renewed_and_ended(run: As, node: nodes.Node) -> None:
    _, opened, _ = run("member", "session", "create", "--memory", "512", "--ttl", "60")
    assert opened["Token"]
    assert (opened["Address"], opened["Memory"]) == ("node-1.example.org:7691", 512)
    session = opened["ID"]
    _, shown, _ = run("member", "session", "show", session)
    assert "Token" not in shown
    assert [one["ID"] for one in run("member", "session", "list")[1]] == [session]
    assert run("other-member", "session", "list")[1] == []
    assert run("member", "session", "set", "--ttl", "99", session)[1]["TTL"] == 99
    _, renewed, _ = run("member", "session", "set", "--token", session)
    assert renewed["Token"] != opened["Token"]
    assert run("member", "session", "set", session)[0] == 1
    assert run("member", "session", "delete", session, node.id)[0] == 1
    assert run("member", "session", "show", session)[1]["State"] == "closing"


def test_session_that_is_refused_says_why(run: As, node: nodes.Node) -> None:
    status, _, why = run("member", "session", "create", "--type", "gpu")
    assert status == 1
    assert "no device that fits has room" in why
