# SPDX-License-Identifier: Apache-2.0
"""A database in a SQLite file, with the newest schema."""

from pathlib import Path

import pytest

from fpga_api.db import connection, schema
from tests.support import api as support


@pytest.fixture
def empty(tmp_path: Path) -> connection.Database:
    """Without a schema."""
    return support.database(f"sqlite:///{tmp_path / 'fpga.sqlite'}")


@pytest.fixture
def database(empty: connection.Database) -> connection.Database:
    schema.sync(empty)
    return empty
