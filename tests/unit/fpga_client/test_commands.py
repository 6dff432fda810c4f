# SPDX-License-Identifier: Apache-2.0
"""The commands of the plugin: their names, help and completion, and what a failure prints."""

import importlib.metadata
import re
import typing
from pathlib import Path

import pytest
import werkzeug.exceptions

from tests.support import loopback
from tests.support.client import OpenStack
from tests.unit.fpga_client import live_cloud

COMMANDS = sorted(
    one.name.replace("_", " ") for one in importlib.metadata.entry_points(group="openstack.fpga.v1")
)
#: Of one word more: their nouns are OpenCL's.
LONGER = "opencl"


def test_commands_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "client.md").read_text()
    named = set(re.findall(rf"openstack (fpga (?:{LONGER} )?[a-z]+ [a-z]+)", page))
    assert named | {"fpga card show", "fpga region show"} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_and_each_of_its_options_has_help(openstack: OpenStack, command: str) -> None:
    result = openstack(*command.split(), "--help")
    assert result.status == 0
    own = result.out.partition("output formatters:")[0]
    assert re.search(r"\n\n[A-Z][^\n]{10,}\n\n", own)
    described = re.split(r"\n  (?=[-<])", own)[1:]
    assert described
    assert [one for one in described if not re.search(r"\s{2,}[A-Zs][a-z]", one)] == []


def test_completion_has_all_commands(openstack: OpenStack) -> None:
    completion = openstack("complete").out
    for command in COMMANDS:
        *nouns, verb = command.split()[1:]
        noun = "_".join(nouns)
        assert re.search(rf"cmds_fpga_{noun}='[^']*\b{verb}\b", completion)


@pytest.fixture
def keystone_alone(requests_mock: typing.Any, monkeypatch: pytest.MonkeyPatch) -> typing.Any:
    """A cloud whose catalogue lacks the service, and the user's variables for it."""
    live_cloud.sign_in(requests_mock, monkeypatch, compute=live_cloud.COMPUTE)
    return requests_mock


def test_cloud_without_the_service_says_what_to_do(
    openstack: OpenStack, keystone_alone: typing.Any
) -> None:
    result = openstack("fpga", "trait", "list")
    assert result.status == 1
    assert "no service of type fpga" in result.err
    assert "fpga_endpoint_override" in result.err


def test_user_may_say_where_the_service_is(
    openstack: OpenStack, keystone_alone: typing.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    traits = keystone_alone.get("http://fpga.invalid/v1/traits", json={"traits": [{"name": "T"}]})
    monkeypatch.setenv("OS_FPGA_ENDPOINT_OVERRIDE", "http://fpga.invalid")
    assert "| T " in openstack("fpga", "trait", "list").out
    headers = traits.last_request.headers
    assert headers["X-Auth-Token"] == "1"
    assert headers["OpenStack-API-Version"] == "fpga 1.0"


def test_service_that_does_not_answer_is_named(
    openstack: OpenStack, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_ENDPOINT", "http://127.0.0.1:1")
    result = openstack("fpga", "trait", "list")
    assert result.status == 1
    assert "FPGA service cannot be reached" in result.err
    assert "http://127.0.0.1:1/v1/traits" in result.err


def test_program_that_is_not_the_service_is_named(
    openstack: OpenStack, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with loopback.serve(werkzeug.exceptions.NotFound()) as other:
        monkeypatch.setenv("OS_ENDPOINT", other)
        result = openstack("fpga", "region", "list")
    assert result.status == 1
    assert f"{other}/v1/regions answered 404" in result.err
    assert "openstack catalog show fpga" in result.err


def test_token_that_is_not_valid_says_what_to_do(
    openstack: OpenStack, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_TOKEN", "stranger")
    result = openstack("fpga", "region", "list")
    assert result.status == 1
    assert "openstack token issue" in result.err
