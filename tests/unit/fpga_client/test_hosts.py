# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga region|card|trait …``, asked of the real application."""

import json
import typing

import pytest

from fpga_api import publication
from tests.support import api as support
from tests.support.client import OpenStack
from tests.unit.fpga_api.handlers.test_hosts import BARE, CARD, DOCUMENT, MINE


class As(typing.Protocol):
    """The command of somebody: its status, its rows, and its warnings."""

    def __call__(self, persona: str, *words: str) -> tuple[int, typing.Any, str]:
        """Run it."""


@pytest.fixture
def run(
    openstack: OpenStack, address: str, api: support.Api, monkeypatch: pytest.MonkeyPatch
) -> As:
    api.service.publication.publish(publication.HOSTS, DOCUMENT, 15)

    def run(persona: str, *words: str) -> tuple[int, typing.Any, str]:
        monkeypatch.setenv("OS_TOKEN", persona)
        result = openstack("fpga", *words, "-f", "json")
        return result.status, json.loads(result.out or "null"), result.err

    return run


def _ids(rows: list[dict[str, typing.Any]]) -> list[str]:
    return [one["ID"] for one in rows]


def test_members_see_the_regions_of_their_servers(run: As) -> None:
    _, rows, warnings = run("member", "region", "list")
    assert _ids(rows) == ["r1", "twice"]
    assert {one["Server"] for one in rows} == {MINE}
    assert {one["Host"] for one in rows} == {None}
    assert f"no answer from these hosts or servers: {MINE}" in warnings


def test_operators_see_all_regions_of_all_pages(run: As, api: support.Api) -> None:
    api.service.conf.set_override("max_limit", 2, "fpga_api")
    _, rows, warnings = run("admin", "region", "list")
    assert _ids(rows) == ["r1", "r2", "r3", "r4", "twice", "twice"]
    assert "no answer from these hosts or servers: dead" in warnings


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--host", "host2"], ["twice"]),
        (["--server", MINE], ["r1", "twice"]),
        (["--state", "free"], ["r3", "twice"]),
        (["--state", "free", "--host", "host2"], ["twice"]),
        (["--host", "elsewhere"], []),
    ],
)
def test_filters_are_the_services(run: As, words: list[str], ids: list[str]) -> None:
    assert _ids(run("admin", "region", "list", *words)[1]) == ids


def test_region_is_shown_to_its_owner_and_not_there_for_others(run: As) -> None:
    status, region, _ = run("member", "region", "show", "r1")
    assert status == 0
    assert (region["Server"], region["State"], region["Host"]) == (MINE, "programmed", None)
    assert region["Nodes"] == [{"kind": "char", "name": "/dev/fpga0", "path": None}]
    status, region, why = run("other-member", "region", "show", "r1")
    assert (status, region) == (1, None)
    assert "no region r1" in why


def test_region_of_two_hosts_needs_the_host(run: As) -> None:
    status, _, why = run("admin", "region", "show", "twice")
    assert status == 1
    assert "several hosts" in why
    status, region, _ = run("admin", "region", "show", "twice", "--host", "host2")
    assert (status, region["Host"]) == (0, "host2")


def test_identifier_is_no_path(run: As) -> None:
    for hostile in ("../cards", "r1/..", "?host=host1", "a/b%2fc", "r1#"):
        status, region, _ = run("admin", "region", "show", hostile)
        assert (status, region) == (1, None), hostile


def test_cards_are_the_operators(run: As) -> None:
    _, rows, _ = run("manager", "card", "list")
    assert [(one["ID"], one["Regions"]) for one in rows] == [(CARD, 3), (BARE, None)]
    assert _ids(run("manager", "card", "list", "--host", "host1")[1]) == [CARD]
    assert run("manager", "card", "show", CARD)[1]["Host"] == "host1"
    status, _, why = run("member", "card", "list")
    assert status == 1
    assert "Ask for the role" in why


def test_traits_are_for_all(run: As) -> None:
    _, rows, _ = run("reader", "trait", "list")
    assert [one["Name"] for one in rows] == DOCUMENT["traits"]
