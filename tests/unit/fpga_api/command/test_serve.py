# SPDX-License-Identifier: Apache-2.0
"""fpga-api serves the application, and says why it cannot."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import typing
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from fpga_api.command import serve

ROOT = Path(__file__).parents[4]
_CONF = """
[fpga_api]
port = {port}
threads = 1
[cache]
backend = dogpile.cache.memory
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:1
service_token_roles_required = true
[packages]
max_size = 1000
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def file(tmp_path: Path, port: int) -> Path:
    file = tmp_path / "fpga-api.conf"
    file.write_text(_CONF.format(port=port))
    return file


@pytest.fixture
def served(file: Path, port: int) -> typing.Iterator[str]:
    words = ["-m", "fpga_api.command.serve", "--config-file", str(file), "serve"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, *words], env=environment) as process:
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(process.returncode)


def test_process_answers_by_http(served: str) -> None:
    with urllib.request.urlopen(f"{served}/", timeout=30) as answer:
        assert json.load(answer)["versions"][0]["id"] == "v1"
        assert "Server" not in answer.headers
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served}/nothing", timeout=30)
    assert json.load(refused.value)["error"]["code"] == "fpga.not_found"


def test_slow_clients_keep_nobody_waiting(served: str, port: int) -> None:
    start = b"POST /v1/bitstreams HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nPK"
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(start)
        with urllib.request.urlopen(f"{served}/", timeout=30) as answer:
            assert answer.status == 200


def test_body_that_is_much_too_large_is_not_taken(port: int, served: str) -> None:
    head = b"POST /v1/bitstreams HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


_USABLE = "[service_credentials]\nauth_type = none\n[database]\nconnection = sqlite://\n"
_TOKENS = "[keystone_authtoken]\nmemcached_servers = 127.0.0.1:1\n"


@pytest.mark.parametrize(
    ("verb", "text"),
    [
        ("serve", None),
        ("serve", "[fpga_api]\nport = many\n"),
        ("serve", "[cache]\nbackend = dogpile.cache.pymemcach\n"),
        ("serve", "[cache]\nbackend = dogpile.cache.memcached\n"),
        ("serve", "[keystone_authtoken]\nauth_type = passwort\n"),
        ("serve", f"{_TOKENS}memcache_security_strategy = ENCRYPT\n"),
        ("serve", f"{_TOKENS}memcache_sasl_enabled = true\n"),
        ("engine", "[hosts]\ntransport_url = rabit://fpga:hush@h/\n"),
        ("engine", "[hosts]\ntransport_url = rabbit://fpga:hush@h:port/\n"),
        ("engine", "[service_credentials]\nauth_type =\n"),
        ("engine", "[database]\nconnection = mysql+pymysql//fpga:hush@h/fpga\n"),
        ("serve", "[keystone_authtoken]\nmemcached_servers = 127.0.0.1:one\n"),
        ("engine", "[service_credentials]\nauth_type = password\n"),
        ("engine", "[availability]\nsources = none\n"),
        ("engine", "[availability]\npci_alias = [1]\n"),
    ],
)
def test_configuration_that_cannot_be_used_is_a_failure(
    verb: str, text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fpga-api.conf"
    if text is not None:
        file.write_text(f"{_USABLE}{text}")
    assert serve.main(["--config-file", str(file), verb]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: fpga-api - ")
    assert "hush" not in error


def test_policy_that_cannot_be_read_is_a_failure(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text('"fpga:admin": "role:admin\n- x')
    file.write_text(f"{file.read_text()}[oslo_policy]\npolicy_file = {policy}\n")
    assert serve.main(["--config-file", str(file), "serve"]) == 2
    assert "policy" in capsys.readouterr().err


def test_port_of_another_is_a_failure(
    file: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert serve.main(["--config-file", str(file), "serve"]) == 1
    assert capsys.readouterr().err.startswith("Error: fpga-api - ")
