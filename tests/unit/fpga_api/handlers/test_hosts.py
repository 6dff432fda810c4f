# SPDX-License-Identifier: Apache-2.0
"""Cards, regions and traits: who sees what of the published document."""

import json
import typing
import urllib.parse
import uuid

import pytest

from fpga_api import publication, service
from fpga_api.hosts import reports
from tests.support import api as support
from tests.support.api import OTHER_PROJECT, PROJECT

CARD, BARE = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
MINE, OTHERS, UNKNOWN = (str(uuid.UUID(int=n)) for n in (11, 12, 13))
AT = "2026-01-02T03:04:05.678Z"

OPERATORS = ("manager", "admin")
OWNERS = ("reader", "member")
OTHER_OWNERS = ("other-reader", "other-member")


def _region(name: str, server: str | None, project: str | None, host: str = "host1"):
    report = reports.read(
        {
            "at": AT,
            "regions": [
                {
                    "id": name,
                    "state": "programmed" if server else "free",
                    "device": "card0",
                    "reason": "burnt by hand on host1",
                    "quarantine": None,
                    "withheld": False,
                    "nodes": [{"kind": "char", "name": "/dev/fpga0", "path": "/dev/host1/x"}],
                }
            ],
        }
    )
    (region,) = report.regions
    rest = {k: v for k, v in region.items() if k not in ("owner", "image_id", "claimed")}
    mine = {"host": host, "card": CARD, "at": AT, "server_id": server, "project_id": project}
    return rest | mine | {"bitstream_id": None, "claim_id": None}


def _card(name: str, host: str | None, total: int | None) -> dict[str, typing.Any]:
    counts = dict.fromkeys(("total", "free", "used", "quarantined"), total)
    return {
        "id": name,
        "name": name,
        "host": host,
        "devices": [],
        "vendors": [],
        "boards": [],
    } | counts


DOCUMENT = {
    "cards": [_card(CARD, "host1", 3), _card(BARE, "dead", None)],
    "regions": [
        _region("r1", MINE, PROJECT),
        _region("r2", OTHERS, OTHER_PROJECT),
        _region("r3", None, None),
        _region("r4", UNKNOWN, None),
        _region("twice", MINE, PROJECT),
        _region("twice", None, None, "host2"),
    ],
    "unreachable": [
        {
            "host": "dead",
            "reason": "it does not answer",
            "at": AT,
            "servers": [
                {"id": MINE, "project_id": PROJECT},
                {"id": OTHERS, "project_id": OTHER_PROJECT},
                {"id": UNKNOWN, "project_id": None},
            ],
        }
    ],
    "traits": ["CUSTOM_FPGA", "CUSTOM_FPGA_BOARD_EMULATOR"],
}


@pytest.fixture(autouse=True)
def published(api: support.Api, tokens: support.Tokens) -> None:
    api.service.publication.publish(publication.HOSTS, DOCUMENT, 15)


def _seen(api: support.Api, persona: str, query: str = "") -> list[str]:
    return [one["id"] for one in api.call("GET", f"/v1/regions{query}", persona).json["regions"]]


@pytest.mark.parametrize(
    ("personas", "ids", "silent"),
    [
        (OPERATORS, ["r1", "r2", "r3", "r4", "twice", "twice"], ["dead"]),
        (OWNERS, ["r1", "twice"], [MINE]),
        (OTHER_OWNERS, ["r2"], [OTHERS]),
    ],
)
def test_tenants_see_the_regions_of_their_servers(api, personas, ids, silent) -> None:
    for persona in personas:
        answer = api.call("GET", "/v1/regions", persona).json
        assert [one["id"] for one in answer["regions"]] == ids, persona
        assert answer["unreachable"] == silent
        assert (answer["stale"], answer["next"]) == (False, None)


def test_tenants_learn_nothing_of_hosts(api) -> None:
    for path in ("/v1/regions", "/v1/regions/r1", "/v1/regions?host=host1"):
        text = json.dumps(api.call("GET", path, "member").json)
        assert "host1" not in text
        assert "card0" not in text
        assert "dead" not in text
    region = api.call("GET", "/v1/regions/r1", "manager").json["region"]
    assert (region["host"], region["nodes"][0]["path"]) == ("host1", "/dev/host1/x")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?host=host2", ["twice"]),
        (f"?server={MINE}", ["r1", "twice"]),
        ("?state=free", ["r3", "twice"]),
        (f"?state=free&server={MINE}", []),
        ("?limit=2&marker=r2", ["r3", "r4"]),
    ],
)
def test_regions_are_filtered(api, query: str, ids: list[str]) -> None:
    assert _seen(api, "admin", query) == ids


def test_pages_follow_each_other_and_keep_the_filter(api) -> None:
    answer = api.call("GET", "/v1/regions?state=programmed&limit=1", "admin").json
    found = [one["id"] for one in answer["regions"]]
    while answer["next"]:
        assert urllib.parse.urlsplit(answer["next"]).path == "/v1/regions"
        answer = api.call("GET", answer["next"], "admin").json
        found += [one["id"] for one in answer["regions"]]
    assert found == ["r1", "r2", "r4", "twice"]


@pytest.mark.parametrize(
    ("persona", "path", "status"),
    [
        ("member", "r1", 200),
        ("member", "r2", 404),
        ("member", "r3", 404),
        ("member", "r4", 404),
        ("member", "none", 404),
        ("other-member", "r2", 200),
        ("admin", "r4", 200),
        ("admin", "none", 404),
        ("member", "twice", 200),
        ("admin", "twice", 400),
        ("admin", "twice?host=host2", 200),
        # Who sees no hosts learns no name of one by guessing.
        ("member", "r1?host=host1", 404),
        ("manager", "r1?host=host1", 200),
        ("service", "r1", 404),
        ("no-role", "r1", 404),
    ],
)
def test_regions_of_others_are_not_found(api, persona: str, path: str, status: int) -> None:
    assert api.call("GET", f"/v1/regions/{path}", persona).status_code == status


def test_cards_are_for_operators(api) -> None:
    for persona in OPERATORS:
        answer = api.call("GET", "/v1/cards", persona).json
        assert [one["id"] for one in answer["cards"]] == [CARD, BARE]
        assert answer["unreachable"] == ["dead"]
        assert api.call("GET", f"/v1/cards/{BARE}", persona).json["card"]["total"] is None
    assert api.call("GET", "/v1/cards?host=host1", "admin").json["cards"][0]["total"] == 3
    assert api.call("GET", f"/v1/cards/{MINE}", "admin").status_code == 404
    for persona in (*OWNERS, *OTHER_OWNERS, "service", "no-role"):
        assert api.call("GET", "/v1/cards", persona).status_code == 403
        assert api.call("GET", f"/v1/cards/{CARD}", persona).status_code == 403


def test_traits_are_for_all_readers(api) -> None:
    for persona in (*OPERATORS, *OWNERS, *OTHER_OWNERS):
        answer = api.call("GET", "/v1/traits", persona).json
        assert [one["name"] for one in answer["traits"]] == DOCUMENT["traits"]
    assert api.call("GET", "/v1/traits", "service").status_code == 403
    assert api.call("GET", "/v1/traits").status_code == 401


@pytest.mark.parametrize("path", ["/v1/cards", "/v1/regions", "/v1/regions/r1", "/v1/traits"])
def test_what_could_not_be_renewed_is_stale(api, path: str) -> None:
    api.service.publication.fail(publication.HOSTS, "the broker of the hosts does not answer")
    answer = api.call("GET", path, "admin")
    assert (answer.status_code, answer.json["stale"]) == (200, True)


@pytest.mark.parametrize("path", ["/v1/cards", "/v1/regions", "/v1/regions/r1", "/v1/traits"])
def test_nothing_is_known_before_the_hosts_were_asked(conf, tokens, path: str) -> None:
    answer = support.Api(service.Service(conf)).call("GET", path, "admin")
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "fpga.not_published")
