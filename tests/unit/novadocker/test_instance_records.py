# SPDX-License-Identifier: Apache-2.0
"""Records of instances outlast a crash of the host, and nothing else is left of them."""

import os
import pathlib
import threading

import pytest

from novadocker import state
from novadocker.instance_records import Records

UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def folder(config, tmp_path):
    return tmp_path / "instances" / UUID


def test_a_record_is_read_as_it_was_written(folder):
    Records("x").write(UUID, {"a": 1})
    assert Records("x").read(UUID) == {"a": 1}
    assert Records("x").uuids() == [UUID]


def test_the_name_of_a_record_is_on_disk_when_it_is_written(folder, monkeypatch):
    synced = []

    def fsync(descriptor):
        path = pathlib.Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, (folder / "x").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    Records("x").write(UUID, {})
    assert (folder / "x.new", False) in synced
    assert (folder, True) in synced
    assert (folder.parent, True) in synced


def test_a_full_disk_leaves_the_record_of_before_and_nothing_else(folder, monkeypatch):
    Records("x").write(UUID, {"a": 1})

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        Records("x").write(UUID, {"a": 2})
    assert Records("x").read(UUID) == {"a": 1}
    assert [path.name for path in folder.iterdir()] == ["x"]


def test_what_a_killed_nova_compute_had_begun_to_write_goes_with_the_instance(folder):
    folder.mkdir(parents=True)
    (folder / "x.new").write_text("{")
    state.forget(UUID)
    assert not folder.exists()


def test_a_record_stays_beside_what_was_begun(folder):
    Records("x").write(UUID, {})
    (folder / "y.new").write_text("{")
    state.forget(UUID)
    assert Records("x").uuids() == [UUID]


def test_a_record_is_not_lost_to_another_thread_that_finds_nothing_else(folder, monkeypatch):
    real, other = os.fsync, []

    def fsync(descriptor):
        if not other:
            other.append(threading.Thread(target=state.forget, args=(UUID,)))
            other[0].start()
            other[0].join(0.2)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    Records("x").write(UUID, {"a": 1})
    other[0].join()
    assert Records("x").read(UUID) == {"a": 1}
