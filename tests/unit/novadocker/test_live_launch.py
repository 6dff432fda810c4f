# SPDX-License-Identifier: Apache-2.0
"""Marks of containers that the engine's runtime is to restore."""

import errno
import os
import pathlib
import typing

import pytest
from oslo_config import fixture as config_fixture

from novadocker import errors, live_launch, live_store
from tests.unit.novadocker.live.conftest import ID, Host


@pytest.fixture
def marks(tmp_path: pathlib.Path) -> typing.Iterator[pathlib.Path]:
    """The folder of marks of a host."""
    host = Host(tmp_path)
    host.mark.unlink()
    fixture = config_fixture.Config(live_store.CONF)
    fixture.setUp()
    fixture.config(live_images=True, live_settings=str(host.file), group="docker")
    yield host.mark.parent
    fixture.cleanUp()


def test_a_mark_lasts_as_long_as_the_start(marks: pathlib.Path) -> None:
    with live_launch.mark(ID, {"suspended": True}):
        assert (marks / ID).read_text() == '{"suspended": true}'
    assert list(marks.iterdir()) == []


def test_a_full_disk_leaves_no_mark_and_is_a_reason(
    marks: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: pathlib.Path, _text: str) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(errors.NoLiveImage, match="No space left"), live_launch.mark(ID, {}):
        pytest.fail("a container without a whole mark is not started")
    assert list(marks.iterdir()) == []
