# SPDX-License-Identifier: Apache-2.0
"""An application with a database, and one node that registered."""

import typing
from pathlib import Path

import pytest

from fpga_api import service
from fpga_api.db import schema
from tests.support import api as support
from tests.support.opencl_nodes import Node


@pytest.fixture
def api(tmp_path: Path) -> typing.Iterator[support.Api]:
    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    with support.Tokens():
        found = service.Service(
            support.configuration(database={"connection": url}, opencl={"placement": False})
        )
        schema.sync(found.database)
        yield support.Api(found)


@pytest.fixture
def node(api: support.Api) -> Node:
    node = Node(api, "node-1")
    assert node.register().status_code == 200
    return node
