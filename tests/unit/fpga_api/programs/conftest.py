# SPDX-License-Identifier: Apache-2.0
"""A cloud of hosts with two regions each, whose Placement is that of all tests of a module."""

import typing
from pathlib import Path

import pytest

from tests.support import claims as support
from tests.support.fpga_host import FakeHost
from tests.support.placement import Placement


@pytest.fixture(scope="package")
def placement(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[Placement]:
    folder: Path = tmp_path_factory.mktemp("placement")
    placement = Placement(f"sqlite:///{folder / 'placement.sqlite'}")
    yield placement
    placement.close()


@pytest.fixture
def cloud(placement: Placement, tmp_path: Path) -> typing.Iterator[support.Cloud]:
    hosts = {"host1": FakeHost(2)}
    database = f"sqlite:///{tmp_path / 'fpga'}.sqlite"
    with support.cloud(placement, database, hosts) as cloud:
        yield cloud
