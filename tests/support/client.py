# SPDX-License-Identifier: Apache-2.0
"""The real ``openstack`` command in process, and the service that it asks on the loopback."""

import contextlib
import dataclasses
import logging
import typing

import pytest
from openstackclient import shell
from openstackclient.common import clientmanager

from tests.support import api, loopback


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


@contextlib.contextmanager
def address(service: api.Api, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[str]:
    """Serve; the commands ask as a member of a project."""
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with loopback.serve(service.app) as url:
        monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
        monkeypatch.setenv("OS_ENDPOINT", url)
        monkeypatch.setenv("OS_TOKEN", "member")
        yield url


@contextlib.contextmanager
def openstack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: typing.Any
) -> typing.Iterator[OpenStack]:
    """The command, without a configuration of who runs the tests.

    :param home: an empty folder
    """
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
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
