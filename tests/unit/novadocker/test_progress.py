# SPDX-License-Identifier: Apache-2.0
"""Long work is seen in the log."""

import io
import logging
import types

import pytest

from novadocker import progress


@pytest.fixture
def instance() -> types.SimpleNamespace:
    """The work is done for it."""
    return types.SimpleNamespace(uuid="11111111-2222-3333-4444-555555555555")


def test_bytes_are_logged_when_the_interval_is_over(instance, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "_INTERVAL", 0)
    found = progress.Progress("Uploaded", instance, 5 << 20)
    found.add(1 << 20)
    found.add(2 << 20)
    assert [record.getMessage() for record in caplog.records] == [
        "Uploaded 1 of 5 MiB",
        "Uploaded 3 of 5 MiB",
    ]


def test_nothing_is_logged_before_the_interval_is_over(instance, caplog):
    caplog.set_level(logging.INFO)
    progress.Progress("Saved", instance).add(1 << 30)
    assert caplog.text == ""


def test_a_reader_counts_what_is_read(instance):
    found = progress.Progress("Uploaded", instance)
    reader = progress.Reader(io.BytesIO(b"x" * 10), found)
    assert (reader.read(4), reader.read(), reader.read(4)) == (b"x" * 4, b"x" * 6, b"")
    assert found.done == 10


def test_a_reader_gives_less_at_once_than_uwsgi_takes_as_one_chunk(instance):
    reader = progress.Reader(io.BytesIO(bytes(3 << 20)), progress.Progress("Uploaded", instance))
    pieces = list(iter(lambda: reader.read(1 << 20), b""))
    assert sum(map(len, pieces)) == 3 << 20
    assert max(map(len, pieces)) < 1 << 20
