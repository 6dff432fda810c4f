# SPDX-License-Identifier: Apache-2.0
"""A cloud of a host with two regions."""

import typing
from pathlib import Path

import pytest

from tests.support import claims as support
from tests.support.fpga_host import FakeHost


@pytest.fixture
def cloud(tmp_path: Path) -> typing.Iterator[support.Cloud]:
    hosts = {"host1": FakeHost(2)}
    files = [f"sqlite:///{tmp_path / name}.sqlite" for name in ("placement", "fpga")]
    with support.cloud(*files, hosts) as cloud:
        yield cloud
