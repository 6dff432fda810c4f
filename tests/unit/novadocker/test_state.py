# SPDX-License-Identifier: Apache-2.0
"""For which instances a container may exist."""

from novadocker import state

UUID = "11111111-2222-3333-4444-555555555555"


def test_nothing_is_known_at_first(config):
    assert not state.may_exist(UUID)
    state.forget(UUID)


def test_what_is_remembered_is_known_until_it_is_forgotten(config):
    state.remember(UUID)
    state.remember(UUID)
    assert state.may_exist(UUID)
    state.forget(UUID)
    assert not state.may_exist(UUID)


def test_no_folder_is_left(config, tmp_path):
    state.remember(UUID)
    state.forget(UUID)
    assert list((tmp_path / "instances").iterdir()) == []


def test_files_of_others_in_the_folder_stay(config, tmp_path):
    state.remember(UUID)
    other = tmp_path / "instances" / UUID / "other"
    other.touch()
    state.forget(UUID)
    assert other.exists()
