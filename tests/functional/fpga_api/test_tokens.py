# SPDX-License-Identifier: Apache-2.0
"""Tokens that one process validated are known to another one, by a real memcached."""

import socket
import typing

import flask
import pytest

from fpga_api import app
from tests.support import api as support
from tests.support import memcached, stub_cloud

_SECRET = {"memcache_security_strategy": "ENCRYPT", "memcache_secret_key": "secret"}


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def keystone(asked: list[str]) -> typing.Iterator[str]:
    with stub_cloud.running({"image": lambda _path: {}}, asked) as url:
        yield url


def _application(keystone: str, port: int, **rest: str) -> flask.Flask:
    """One of a process of its own."""
    own = {
        "www_authenticate_uri": keystone,
        "endpoint": f"{keystone}/v3",
        "memcached_servers": [f"127.0.0.1:{port}"],
        **rest,
    }
    return app.create_app(support.configuration(keystone_authtoken=own))


def _ask(application: flask.Flask, persona: str) -> int:
    headers = {"X-Auth-Token": persona}
    return application.test_client().get("/v1/regions", headers=headers).status_code


def _content(port: int, key: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"{key}\r\nquit\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("security", [{}, _SECRET], ids=["plain", "encrypted"])
def test_each_token_is_validated_once(
    keystone: str, asked: list[str], security: dict[str, str]
) -> None:
    port = memcached.free_port()
    with memcached.running(port):
        for _ in range(3):
            assert _ask(_application(keystone, port, **security), "reader") == 503
        assert asked == ["reader"]
        assert _ask(_application(keystone, port, **security), "nobody") == 401
        assert _content(port, "stats items") != b"END\r\n"


def test_without_its_cache_each_process_asks_keystone(keystone: str, asked: list[str]) -> None:
    port = memcached.free_port()
    application = _application(keystone, port)
    with memcached.running(port):
        assert _ask(application, "reader") == 503
    for _ in range(2):
        assert _ask(application, "reader") == 503
    assert asked == ["reader"] * 3
    with memcached.running(port):
        memcached.attempt(lambda: _hit(application, asked), AssertionError)


def _hit(application: flask.Flask, asked: list[str]) -> None:
    before = len(asked)
    assert _ask(application, "reader") == 503
    assert len(asked) == before
