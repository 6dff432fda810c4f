# SPDX-License-Identifier: Apache-2.0
"""The commands of the client, and an application that has nothing published yet."""

import typing
from pathlib import Path

import pytest

from fpga_api import service
from tests.support import api as support
from tests.support import client
from tests.unit.fpga_client import live_cloud


@pytest.fixture
def api() -> typing.Iterator[support.Api]:
    with support.Tokens():
        yield support.Api(service.Service(support.configuration()))


@pytest.fixture
def address(api: support.Api, monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[str]:
    with client.address(api, monkeypatch) as address:
        yield address


@pytest.fixture
def openstack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> typing.Iterator[client.OpenStack]:
    with client.openstack(monkeypatch, capsys, tmp_path) as openstack:
        yield openstack


@pytest.fixture
def cloud(requests_mock: typing.Any, monkeypatch: pytest.MonkeyPatch) -> live_cloud.Cloud:
    return live_cloud.installed(requests_mock, monkeypatch)
