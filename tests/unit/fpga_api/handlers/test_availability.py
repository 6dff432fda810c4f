# SPDX-License-Identifier: Apache-2.0
"""Availability as users read it: from what the engine published, and only what is theirs."""

import contextlib
import typing

import pytest

from fpga_api import clock
from fpga_api.db import samples, schema
from fpga_api.service import Service
from tests.support import api as support
from tests.support.clouds import Services

READER, OTHER, ADMIN = "reader", "other-reader", "admin"


def flavor(flavor_id: str, **members: typing.Any) -> dict[str, typing.Any]:
    """A flavor of the document."""
    return {
        "id": flavor_id,
        "name": f"fpga.{flavor_id}",
        "vcpus": 4,
        "ram": 1024,
        "public": True,
        "projects": [],
        "free": 3,
        "total": 4,
        "counts": {},
        "zones": {"east": {"free": 1, "total": 2}},
        "accelerators": {"CUSTOM_FPGA_REGION": 1},
        "limited": {"VCPU": 4, "CUSTOM_FPGA_REGION": 1},
        "source": "placement",
        "error": None,
    } | members


OTHERS = {"free": 7, "total": 9, "zones": {"east": {"free": 5, "total": 6}}}
ERROR = {"code": "fpga.flavor_invalid", "detail": "it is not"}
PUBLIC = flavor("1")
PRIVATE = flavor("2", public=False, projects=[support.PROJECT])
BAD = flavor("3", free=None, total=None, error=ERROR)
ISOLATED = flavor("4", counts={support.OTHER_PROJECT: OTHERS})
DOCUMENT = {"flavors": [PUBLIC, PRIVATE, BAD, ISOLATED], "complete": True}


def serve(**options: typing.Any) -> support.Api:
    return support.Api(Service(support.configuration(availability=options)))


@pytest.fixture
def api(api: support.Api) -> support.Api:
    api.service.publication.publish("availability", DOCUMENT, 15)
    return api


def ids(response: typing.Any) -> list[str]:
    assert response.status_code == 200
    return [one["id"] for one in response.json["flavors"]]


def test_nothing_is_said_before_the_first_count(tokens: support.Tokens) -> None:
    for path in ("/v1/availability", "/v1/availability/1", "/gpus/flavors", "/gpus/flavors/1"):
        response = serve().call("GET", path, READER)
        assert response.status_code == 503
        assert response.json["error"]["code"] == "fpga.not_published"


@pytest.mark.parametrize(
    ("persona", "expected"),
    [(READER, ["1", "2", "3", "4"]), (OTHER, ["1", "3", "4"]), (ADMIN, ["1", "2", "3", "4"])],
)
def test_private_flavors_are_for_those_who_have_them(
    api: support.Api, persona: str, expected: list[str]
) -> None:
    assert ids(api.call("GET", "/v1/availability", persona)) == expected
    status = 200 if "2" in expected else 404
    for path in ("/v1/availability/2", "/gpus/flavors/2"):
        assert api.call("GET", path, persona).status_code == status


def test_answer_has_its_age_and_nothing_of_other_projects(api: support.Api) -> None:
    response = api.call("GET", "/v1/availability", READER)
    assert not response.json["stale"]
    assert 0 <= response.json["age"] < 60
    assert support.PROJECT not in response.text
    assert support.OTHER_PROJECT not in response.text


def test_answer_is_stale_when_the_last_count_failed(api: support.Api) -> None:
    api.service.publication.fail("availability", "Placement does not answer")
    for path in ("/v1/availability", "/v1/availability/1", "/gpus/flavors"):
        assert api.call("GET", path, READER).json["stale"] is True


def test_flavor_that_cannot_be_counted_says_why(api: support.Api) -> None:
    found = api.call("GET", "/v1/availability/3", READER).json["flavor"]
    assert (found["free"], found["total"], found["error"]) == (None, None, ERROR)


def test_counts_are_those_of_the_hosts_that_admit_the_project(api: support.Api) -> None:
    def count(persona: str) -> tuple[int, int]:
        found = api.call("GET", "/v1/availability/4", persona).json["flavor"]
        return found["free"], found["total"]

    assert count(READER) == (3, 4)
    assert count(OTHER) == (7, 9)


def test_counts_are_those_of_the_availability_zone_that_is_asked_for(api: support.Api) -> None:
    def count(flavor: str, zone: str, persona: str = READER) -> tuple[int, int]:
        path = f"/v1/availability/{flavor}?zone={zone}"
        found = api.call("GET", path, persona).json["flavor"]
        return found["free"], found["total"]

    assert count("1", "east") == (1, 2)
    assert count("1", "nowhere") == (0, 0)
    assert count("4", "east") == (1, 2)
    assert count("4", "east", OTHER) == (5, 6)
    assert count("3", "east") == (None, None)
    assert api.call("GET", "/v1/availability?zone=", READER).status_code == 400


def test_old_shape_has_the_members_that_it_had(api: support.Api) -> None:
    answer = api.call("GET", "/gpus/flavors", READER).json
    clock.parse(answer["timestamp"])
    assert answer["flavors"][0] == {
        "flavor_openstack_id": "1",
        "flavor_name": "fpga.1",
        "available": 3,
        "total": 4,
    }
    assert [one["flavor_openstack_id"] for one in answer["flavors"]] == ["1", "2", "4"]
    assert api.call("GET", "/gpus/flavors/1", READER).json["flavor"] == answer["flavors"][0]
    assert api.call("GET", "/gpus/flavors/gibt_es_nicht", READER).status_code == 404


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"public": True}, ["1", "3", "4"]),
        ({"public": True, "private_flavors": True}, list("1234")),
    ],
)
def test_anybody_reads_where_the_operator_says_so(
    options: dict[str, bool], expected: list[str]
) -> None:
    api = serve(**options)
    api.service.publication.publish("availability", DOCUMENT, 15)
    assert ids(api.call("GET", "/v1/availability")) == expected
    assert api.call("GET", "/v1/availability?mine=true").status_code == 401


def test_nobody_reads_without_a_token_where_the_operator_says_nothing(api: support.Api) -> None:
    for path in ("/v1/availability", "/v1/availability/1", "/gpus/flavors"):
        assert api.call("GET", path).status_code == 401


_NOVA = {
    "maxTotalInstances": 10,
    "totalInstancesUsed": 3,
    "maxTotalCores": 12,
    "totalCoresUsed": 4,
    "maxTotalRAMSize": -1,
    "totalRAMUsed": 9000,
}


@pytest.fixture
def services(api: support.Api, monkeypatch: pytest.MonkeyPatch) -> Services:
    services = Services()
    path = f"/limits?tenant_id={support.PROJECT}"
    services.documents["compute", path] = {"limits": {"absolute": dict(_NOVA)}}
    monkeypatch.setattr(api.service, "adapter", services.adapter)
    return services


def mine(api: support.Api) -> dict[str, int | None]:
    response = api.call("GET", "/v1/availability?mine=true", READER)
    assert response.status_code == 200
    return {one["id"]: one["mine"] for one in response.json["flavors"]}


def test_mine_is_what_the_quota_allows_of_what_is_free(
    api: support.Api, services: Services
) -> None:
    assert mine(api) == {"1": 2, "2": 2, "3": None, "4": 2}
    absolute = services.documents["compute", f"/limits?tenant_id={support.PROJECT}"]
    absolute["limits"]["absolute"]["maxTotalCores"] = -1
    assert mine(api)["1"] == 3
    absolute["limits"]["absolute"]["totalInstancesUsed"] = 11
    assert mine(api)["1"] == 0


def regions(api: support.Api, path: str = "/1") -> dict[str, int | None] | None:
    answer = api.call("GET", f"/v1/availability{path}?mine=true", READER).json
    found: dict[str, int | None] | None = answer["regions"]
    return found


def test_limit_of_regions_is_not_known_where_keystone_limits_nothing(
    api: support.Api, services: Services
) -> None:
    assert regions(api) is None
    assert "regions" not in api.call("GET", "/v1/availability/1", READER).json


def test_mine_counts_the_limits_of_keystone(api: support.Api, services: Services) -> None:
    api.service.conf.set_override("unified_limits", True, "availability")
    services.documents |= {
        ("identity", "/v3/registered_limits"): {
            "registered_limits": [
                {"resource_name": "servers", "default_limit": 10},
                {"resource_name": "class:CUSTOM_FPGA_REGION", "default_limit": 1},
            ]
        },
        ("identity", f"/v3/limits?project_id={support.PROJECT}"): {
            "limits": [{"resource_name": "class:CUSTOM_FPGA_REGION", "resource_limit": 5}]
        },
        ("placement", f"/usages?project_id={support.PROJECT}"): {
            "usages": {"CUSTOM_FPGA_REGION": 4}
        },
    }
    assert mine(api)["1"] == 1
    assert regions(api) == regions(api, "") == {"used": 4, "limit": 5}


@pytest.mark.parametrize(
    ("request_quota", "registered", "limit", "servers"),
    [(False, [], None, 2), (True, [], 0, 0), (True, [-1], None, 2)],
)
def test_project_without_a_limit_of_regions(
    api: support.Api,
    services: Services,
    request_quota: bool,
    registered: list[int],
    limit: int | None,
    servers: int,
) -> None:
    api.service.conf.set_override("unified_limits", True, "availability")
    api.service.conf.set_override("request_quota", request_quota, "availability")
    limits = [{"resource_name": "servers", "default_limit": 5}]
    limits += [
        {"resource_name": "class:CUSTOM_FPGA_REGION", "default_limit": one} for one in registered
    ]
    services.documents |= {
        ("identity", "/v3/registered_limits"): {"registered_limits": limits},
        ("identity", f"/v3/limits?project_id={support.PROJECT}"): {"limits": []},
        ("placement", f"/usages?project_id={support.PROJECT}"): {"usages": {}},
    }
    assert mine(api)["1"] == servers
    assert regions(api) == {"used": 0, "limit": limit}


def test_quota_that_nobody_knows_is_a_failure(api: support.Api, services: Services) -> None:
    services.documents["compute", f"/limits?tenant_id={support.PROJECT}"] = 500
    response = api.call("GET", "/v1/availability/1?mine=true", READER)
    assert response.status_code == 503
    assert response.json["error"]["code"] == "fpga.quota_unavailable"


def test_database_that_is_slow_keeps_nobody_from_the_counts(api: support.Api) -> None:
    one = f"/{support.PLACEHOLDER}"
    calls = [("GET", "/v1/availability/1/history"), ("DELETE", f"/v1/claims{one}")]
    calls += [("GET", f"/v1/{kind}{path}") for kind in ("claims", "programs") for path in ("", one)]
    with contextlib.ExitStack() as stack:
        for _ in range(api.service.conf.fpga_api.threads * 3 // 4):
            stack.enter_context(api.service.outside())
        for method, path in calls:
            response = api.call(method, path, ADMIN)
            assert response.json["error"]["code"] == "fpga.busy", path
        assert api.call("GET", "/v1/availability", ADMIN).status_code == 200


def test_history_is_what_was_kept(tmp_path: typing.Any, tokens: support.Tokens) -> None:
    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    api = support.Api(Service(support.configuration(database={"connection": url})))
    api.service.publication.publish("availability", DOCUMENT, 15)
    schema.sync(api.service.database)
    at = clock.now().replace(microsecond=0)
    samples.add(api.service.database, [samples.Sample("1", at, 4, 2)])
    answer = api.call("GET", "/v1/availability/1/history", READER).json
    assert answer["samples"] == [{"at": clock.text(at), "free": 2, "total": 4}]
    assert api.call("GET", "/v1/availability/2/history", OTHER).status_code == 404
    assert api.call("GET", "/v1/availability/1/history?hours=0", READER).status_code == 400
