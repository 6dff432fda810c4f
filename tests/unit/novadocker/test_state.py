# SPDX-License-Identifier: Apache-2.0
"""For which instances there is certainly no container."""

import shutil

from novadocker import state

UUID = "11111111-2222-3333-4444-555555555555"


def test_nothing_is_certain_at_first(config):
    assert not state.certainly_none(UUID)
    state.forget(UUID)


def test_a_build_that_began_has_no_container_until_the_engine_is_asked(config):
    state.begin(UUID)
    state.begin(UUID)
    assert state.certainly_none(UUID)
    state.forget(UUID)
    assert not state.certainly_none(UUID)


def test_a_folder_that_is_lost_proves_nothing(config, tmp_path):
    state.begin(UUID)
    state.forget(UUID)
    shutil.rmtree(tmp_path / "instances")
    assert not state.certainly_none(UUID)
    state.forget(UUID)


def test_no_folder_stays(config, tmp_path):
    state.begin(UUID)
    state.forget(UUID)
    assert list((tmp_path / "instances").iterdir()) == []


def test_the_note_of_an_earlier_release_goes_with_its_container(config, tmp_path):
    folder = tmp_path / "instances" / UUID
    folder.mkdir(parents=True)
    (folder / "docker-container").touch()
    assert not state.certainly_none(UUID)
    state.forget(UUID)
    assert not folder.exists()


def test_files_of_others_in_the_folder_stay(config, tmp_path):
    state.begin(UUID)
    other = tmp_path / "instances" / UUID / "other"
    other.touch()
    state.forget(UUID)
    assert other.exists()
