# SPDX-License-Identifier: Apache-2.0
"""fpga-api serve --env-file is OpenstackGPUService: no Keystone before it, nothing beside it.

The process is real, and so is the way it finds Nova: a Keystone and a Nova by HTTP on loopback.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import typing
import urllib.error
import urllib.request
from pathlib import Path
from wsgiref import simple_server

import flask
import pytest
from keystoneauth1 import fixture as keystone_fixtures

from fpga_api.command import serve, standalone
from tests.unit.fpga_api.availability.test_aggregate import EXPECTED, nova

__all__ = ["nova"]

ROOT = Path(__file__).parents[4]

_VARIABLES = {
    "OS_USERNAME": "monitor",
    "OS_PASSWORD": "it's = secret",
    "OS_PROJECT_NAME": "service",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_ID": "default",
    "OS_REGION_NAME": "Bielefeld",
    "OS_INTERFACE": "public",
}


class _Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *_words: typing.Any) -> None:
        """Say nothing."""


@pytest.fixture
def keystone(nova: typing.Any) -> typing.Iterator[str]:
    """A Keystone whose catalogue has the Nova of the test set-up; its URL."""
    nova.update()
    app = flask.Flask("cloud")
    with simple_server.make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        token = keystone_fixtures.V3Token(user_name="monitor", project_name="service")
        endpoints = {"public": f"{url}/compute", "region": "Bielefeld"}
        token.add_service("compute").add_standard_endpoints(**endpoints)

        @app.post("/v3/auth/tokens")
        def authenticate() -> typing.Any:
            user = flask.request.json["auth"]["identity"]["password"]["user"]
            assert user["password"] == _VARIABLES["OS_PASSWORD"]
            return dict(token), 201, {"X-Subject-Token": "token"}

        @app.get("/compute/<path:path>")
        def compute(path: str) -> typing.Any:
            query = flask.request.query_string.decode()
            key = f"/{path}?{query}" if query else f"/{path}"
            found = nova.documents.get(("compute", key), 404)
            return ({}, found) if isinstance(found, int) else found

        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"{url}/v3"
        server.shutdown()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _fetch(url: str) -> typing.Any:
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            assert json.load(e)["error"]["code"] == "fpga.not_published"
        except (urllib.error.URLError, ConnectionError):
            pass
        assert time.monotonic() < end
        time.sleep(0.05)


def test_process_answers_anybody_with_the_counts_of_the_set_up(
    keystone: str, port: int, tmp_path: Path
) -> None:
    variables = {**_VARIABLES, "OS_AUTH_URL": keystone}
    file = tmp_path / "env.file"
    file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    words = ["-m", "fpga_api.command.serve", "serve", "--bind", f"127.0.0.1:{port}"]
    words += ["--env-file", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, *words], env=environment) as process:
        try:
            answer = _fetch(f"http://127.0.0.1:{port}/gpus/flavors")
            found = {
                one["flavor_openstack_id"]: (one["available"], one["total"])
                for one in answer["flavors"]
            }
            assert found == EXPECTED
            assert not answer["stale"]
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/gpus/flavors/gibt_es_nicht")
            assert refused.value.code == 404
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_file_is_read_as_docker_and_a_shell_read_it() -> None:
    text = "# comment\n\nOS_A=1=2\nexport OS_B='x y'\nOS_C=\n"
    assert standalone.read(text) == {"OS_A": "1=2", "OS_B": "x y", "OS_C": ""}
    with pytest.raises(ValueError, match="line 1"):
        standalone.read("source other\n")


@pytest.mark.parametrize("text", ["", "nonsense", None])
def test_file_that_names_no_cloud_is_a_failure(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: typing.Any
) -> None:
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    file = tmp_path / "env.file"
    if text is not None:
        file.write_text(text)
    status = serve.main(["serve", "--bind", "127.0.0.1:1", "--env-file", str(file)])
    assert status == (1 if text is None else 2)
    assert capsys.readouterr().err.startswith("Error: fpga-api - ")


def test_memcached_is_for_a_service_that_is_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["serve", "--memcached", "127.0.0.1:11211"]) == 2
    assert "--env-file" in capsys.readouterr().err
