# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` command in process, and the service that it asks on the loopback."""

import dataclasses
import logging
import typing

import pytest
from openstackclient import shell
from openstackclient.common import clientmanager

from fpga_api import service
from tests.support import api as support
from tests.support import loopback


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command gave."""

    status: int
    out: str
    err: str


class OpenStack(typing.Protocol):
    """The command, called with its words."""

    def __call__(self, *words: str) -> Result:
        """Run it."""


@pytest.fixture
def api() -> typing.Iterator[support.Api]:
    with support.Tokens():
        yield support.Api(service.Service(support.configuration()))


@pytest.fixture
def address(api: support.Api, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[str]:
    """The service, which the commands ask as a member of a project."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with loopback.serve(api.app) as address:
        monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
        monkeypatch.setenv("OS_ENDPOINT", address)
        monkeypatch.setenv("OS_TOKEN", "member")
        yield address


@pytest.fixture
def openstack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: typing.Any
) -> typing.Iterator[OpenStack]:
    """The command, without a configuration of who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*words: str) -> Result:
        # Its clients live as long as the process, which has one command elsewhere; these are new.
        clientmanager.get_plugin_modules("openstack.cli.extension")
        capsys.readouterr()
        status = shell.main(list(words))
        out, err = capsys.readouterr()
        return Result(status, out, err)

    yield run
    # The command adds its own to the process's logs.
    root.handlers[:], root.level = handlers, level
