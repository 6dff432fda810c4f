# SPDX-License-Identifier: Apache-2.0
"""What all routes share: versions, tokens, queries, bodies and the form of failures."""

import concurrent.futures
import dataclasses
import io
import threading
import typing

import pytest
from keystoneauth1 import loading
from oslo_config import cfg

from fpga_api import app, handlers, routing, service
from fpga_api.policies import base
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from tests.support import api as support

ADMIN = "fpga:admin"
_WAITS, _END = threading.Semaphore(0), threading.Event()
_NUMBERS = common.members({"n": {"type": "integer"}})


def _echo(request: Request) -> Answer:
    if request.stream is not None:
        return 200, {"size": sum(map(len, request.chunks()))}
    return 200, {"query": request.query, "body": request.body}


def _wait(_request: Request) -> Answer:
    _WAITS.release()
    assert _END.wait(30)
    return 200, {}


def _object(request: Request) -> Answer:
    request.check({"id": "1", "project_id": support.PROJECT})
    return 204, None


def _unchecked(_request: Request) -> Answer:
    return 204, None


def _broken(_request: Request) -> Answer:
    raise ZeroDivisionError


_ROUTE = Route("POST", "/echo", _echo, "Echo", rule=None, answers={200: {}})
ROUTES = [
    dataclasses.replace(_ROUTE, body=_NUMBERS),
    dataclasses.replace(
        _ROUTE,
        method="GET",
        query=common.parameters(
            {"n": {"type": "integer", "default": 3}, "mine": {"type": "boolean"}}
        ),
    ),
    dataclasses.replace(_ROUTE, path="/package", package=True),
    dataclasses.replace(_ROUTE, path="/admin", method="GET", rule=ADMIN),
    dataclasses.replace(
        _ROUTE, path="/public", method="GET", rule=ADMIN, anonymous=lambda _conf: True
    ),
    dataclasses.replace(
        _ROUTE,
        path="/object",
        method="DELETE",
        handler=_object,
        rule="fpga:owner_member",
        sight="fpga:owner_reader",
        of_object=True,
        answers={204: None},
    ),
    dataclasses.replace(_ROUTE, path="/unchecked", handler=_unchecked, rule=ADMIN, of_object=True),
    dataclasses.replace(_ROUTE, path="/slow", method="GET", handler=_wait, outside=True),
    dataclasses.replace(_ROUTE, path="/broken", method="GET", handler=_broken),
]


@pytest.fixture
def api(
    conf: cfg.ConfigOpts, tokens: support.Tokens, monkeypatch: pytest.MonkeyPatch
) -> support.Api:
    monkeypatch.setattr(handlers, "list_routes", lambda: ROUTES)
    conf.set_override("max_size", 1000, "packages")
    return support.Api(service.Service(conf))


def _failure(response: typing.Any) -> tuple[int, str]:
    return response.status_code, response.json["error"]["code"]


@pytest.mark.parametrize("version", ["fpga 1.0", "fpga latest", "compute 2.1"])
def test_version_that_there_is_is_answered(api: support.Api, version: str) -> None:
    response = api.call("GET", "/echo", headers={"OpenStack-API-Version": version})
    assert response.status_code == 200
    assert response.headers["OpenStack-API-Version"] == "fpga 1.0"
    assert "OpenStack-API-Version" in response.headers["Vary"]


@pytest.mark.parametrize("version", ["fpga 1.1", "fpga 0.9"])
def test_version_that_there_is_not_is_refused(api: support.Api, version: str) -> None:
    response = api.call("GET", "/echo", headers={"OpenStack-API-Version": version})
    assert _failure(response)[0] == 406


@pytest.mark.parametrize("version", ["", "fpga", "fpga one", "1.0", "fpga 1.0, "])
def test_version_that_cannot_be_read_is_refused(api: support.Api, version: str) -> None:
    response = api.call("GET", "/echo", headers={"OpenStack-API-Version": version})
    assert _failure(response) == (400, "fpga.bad_request")


@pytest.mark.parametrize(
    ("path", "persona", "status"),
    [
        ("/admin", None, 401),
        ("/admin", "member", 403),
        ("/admin", "admin", 200),
        ("/public", None, 200),
        ("/public", "member", 403),
    ],
)
def test_rule_of_a_route_is_checked(
    api: support.Api, path: str, persona: str | None, status: int
) -> None:
    assert api.call("GET", path, persona).status_code == status


def test_who_waits_for_other_services_leaves_threads_to_others(api: support.Api) -> None:
    places = api.service.conf.fpga_api.threads * 3 // 4
    with concurrent.futures.ThreadPoolExecutor(places) as pool:
        slow = [pool.submit(api.call, "GET", "/slow") for _ in range(places)]
        for _ in slow:
            assert _WAITS.acquire(timeout=30)
        assert _failure(api.call("GET", "/slow")) == (503, "fpga.busy")
        assert api.call("GET", "/echo").status_code == 200
        _END.set()
        assert [one.result().status_code for one in slow] == [200] * places
    assert api.call("GET", "/slow").status_code == 200


def test_who_has_no_token_reads_where_to_get_one(api: support.Api) -> None:
    assert "WWW-Authenticate" in api.call("GET", "/admin").headers


def test_token_that_keystone_does_not_know_is_none(api: support.Api) -> None:
    response = api.call("GET", "/admin", headers={"X-Auth-Token": "stranger"})
    assert _failure(response) == (401, "fpga.unauthorized")


def test_headers_of_a_stranger_say_nothing_of_who_asks(api: support.Api) -> None:
    forged = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-Project-Id": "1"}
    assert api.call("GET", "/admin", headers=forged).status_code == 401


@pytest.mark.parametrize(
    ("persona", "status"),
    [("member", 204), ("reader", 403), ("other-member", 404), ("admin", 204), ("service", 404)],
)
def test_object_of_others_is_not_there(api: support.Api, persona: str, status: int) -> None:
    assert api.call("DELETE", "/object", persona).status_code == status


def test_handler_that_checks_no_policy_gives_no_answer(api: support.Api) -> None:
    response = api.call("POST", "/unchecked", "admin")
    assert _failure(response) == (500, "fpga.internal_error")


def test_fault_shows_nothing_of_the_service(api: support.Api) -> None:
    response = api.call("GET", "/broken")
    assert _failure(response) == (500, "fpga.internal_error")
    assert b"ZeroDivision" not in response.data


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {"n": 3}),
        ("?n=5&mine=true", {"n": 5, "mine": True}),
        ("?n=five", None),
        ("?n=1&n=2", None),
        ("?mine=1", None),
        ("?other=1", None),
        ("?n=99999999999999999999999999", None),
    ],
)
def test_query_is_what_its_schema_says(
    api: support.Api, query: str, values: dict[str, typing.Any] | None
) -> None:
    response = api.call("GET", f"/echo{query}")
    if values is None:
        assert _failure(response) == (400, "fpga.bad_request")
    else:
        assert response.json["query"] == values


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b'{"n": 1}', "application/json", None),
        (b'{"n": "1"}', "application/json", "fpga.bad_request"),
        (b'{"n": 1', "application/json", "fpga.bad_request"),
        (b"\xff", "application/json", "fpga.bad_request"),
        (b"[" * 60_000, "application/json", "fpga.bad_request"),
        (b'{"n": 1}', "text/plain", "fpga.unsupported_media_type"),
        (b" " * (routing.MAX_JSON + 1), "application/json", "fpga.too_large"),
    ],
    ids=["good", "type", "cut", "text", "deep", "media", "large"],
)
def test_body_is_what_its_schema_says(
    api: support.Api, body: bytes, kind: str, code: str | None
) -> None:
    response = api.call("POST", "/echo", data=body, content_type=kind)
    if code is None:
        assert response.json["body"] == {"n": 1}
    else:
        assert _failure(response)[1] == code


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413)])
def test_package_is_as_large_as_the_operator_allows(
    api: support.Api, size: int, status: int
) -> None:
    response = api.call("POST", "/package", data=b"1" * size, content_type="application/zip")
    assert response.status_code == status


def test_package_without_a_length_that_is_too_large_is_cut_off(api: support.Api) -> None:
    response = api.call(
        "POST",
        "/package",
        content_type="application/zip",
        input_stream=io.BytesIO(b"1" * 2000),
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert _failure(response) == (413, "fpga.too_large")


def test_body_without_a_length_is_refused_where_its_end_is_unknown(api: support.Api) -> None:
    response = api.call(
        "POST",
        "/package",
        content_type="application/zip",
        input_stream=io.BytesIO(b"1"),
        environ_overrides={"CONTENT_LENGTH": ""},
    )
    assert _failure(response) == (411, "fpga.length_required")


def test_body_that_breaks_off_is_incomplete(api: support.Api) -> None:
    response = api.call(
        "POST",
        "/package",
        content_type="application/zip",
        input_stream=io.BytesIO(b"1"),
        environ_overrides={"CONTENT_LENGTH": "10"},
    )
    assert _failure(response) == (408, "fpga.body_incomplete")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("PUT", "/echo", "fpga.method_not_allowed"), ("GET", "/nothing", "fpga.not_found")],
)
def test_what_there_is_not_has_a_code(api: support.Api, method: str, path: str, code: str) -> None:
    response = api.call(method, path)
    assert response.json["error"]["code"] == code


@pytest.mark.parametrize("delay", [False, True])
def test_keystone_that_does_not_answer_is_no_reason_to_refuse_a_token(delay: bool) -> None:
    conf = support.configuration(
        keystone_authtoken={
            "auth_type": "password",
            "http_request_max_retries": 0,
            "delay_auth_decision": delay,
        }
    )
    conf.register_opts(loading.get_auth_plugin_conf_options("password"), "keystone_authtoken")
    conf.set_override("auth_url", "http://127.0.0.1:1", "keystone_authtoken")
    api = support.Api(service.Service(conf))
    token = {"X-Auth-Token": "any"}
    response = api.call("GET", "/nothing", headers=token)
    assert _failure(response) == (503, "fpga.keystone_unavailable")
    assert api.call("GET", "/", headers=token).status_code == 200


def test_token_that_keystone_does_not_know_is_none_where_the_operator_delays_the_decision(
    tokens: support.Tokens,
) -> None:
    conf = support.configuration(
        availability={"public": True}, keystone_authtoken={"delay_auth_decision": True}
    )
    api = support.Api(service.Service(conf))
    response = api.call("GET", "/v1/availability", headers={"X-Auth-Token": "stranger"})
    assert _failure(response) == (401, "fpga.unauthorized")


def test_keystone_has_some_seconds_for_an_answer(conf: cfg.ConfigOpts) -> None:
    assert conf.keystone_authtoken.http_connect_timeout == 10


def test_health_is_seen_without_keystone(conf: cfg.ConfigOpts) -> None:
    response = support.Api(service.Service(conf)).app.test_client().get(app.HEALTHCHECK)
    assert response.status_code == 200


def test_rules_of_the_base_are_in_the_sample() -> None:
    assert ADMIN in {one.name for one in base.RULES}
