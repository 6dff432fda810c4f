# SPDX-License-Identifier: Apache-2.0
"""One Glance for all tests of the API: it takes seconds to start."""

import typing
from pathlib import Path

import pytest

from tests.support import glance


@pytest.fixture(scope="session")
def glance_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Glance has on disk."""
    return tmp_path_factory.mktemp("glance")


@pytest.fixture(scope="session")
def glance_url(glance_folder: Path) -> typing.Iterator[str]:
    """A Glance; whoever leaves images in it has others see them."""
    with glance.running(glance_folder) as url:
        yield url
