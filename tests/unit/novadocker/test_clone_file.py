# SPDX-License-Identifier: Apache-2.0
"""The file by which a program learns that it is a clone."""

import json
import os
import pathlib
import stat

import pytest

from novadocker import clone_file

_CLONE = clone_file.Origin("66666666-2222-3333-4444-555555555555", "7" * 36)


@pytest.fixture
def file(config, instance, tmp_path):
    """The file of a server."""
    return tmp_path / "instances" / instance.uuid / "clone.json"


def _attributes(*targets):
    return {"HostConfig": {"Mounts": [{"Target": target} for target in targets] or None}}


def test_a_clone_knows_its_image_and_its_source(file, instance):
    clone_file.write(instance, _CLONE)
    content = json.loads(file.read_text())
    assert content["server"] == instance.uuid
    assert (content["image"], content["source"]) == _CLONE
    assert content.keys() == {"server", "generation", "time", "image", "source"}


def test_each_start_from_an_image_is_another_generation(file, instance):
    found = set()
    for _ in range(2):
        clone_file.write(instance, _CLONE)
        found.add(json.loads(file.read_text())["generation"])
    assert len(found) == 2


def test_a_server_that_is_no_clone_has_neither(file, instance):
    clone_file.write(instance, clone_file.NONE)
    content = json.loads(file.read_text())
    assert (content["image"], content["source"]) == (None, None)


def test_the_file_of_a_clone_has_the_size_and_the_mode_of_its_sources(file, instance):
    status = []
    for umask, origin in ((0o077, clone_file.NONE), (0o000, _CLONE)):
        before = os.umask(umask)
        try:
            clone_file.write(instance, origin)
        finally:
            os.umask(before)
        status.append((file.stat().st_size, stat.S_IMODE(file.stat().st_mode)))
    assert status == [(512, 0o444)] * 2


def test_a_file_that_was_half_written_does_not_matter(file, instance):
    file.parent.mkdir(parents=True)
    file.with_name("clone.json.new").write_text("half")
    clone_file.write(instance, _CLONE)
    assert [path.name for path in file.parent.iterdir()] == ["clone.json"]


def test_a_start_has_the_file_written_where_it_is_missing(file, instance):
    clone_file.ensure(instance, _attributes("/run/openstack"))
    assert not file.exists()
    clone_file.ensure(instance, _attributes("/run/openstack", "/run/fpga-nova/clone.json"))
    assert json.loads(file.read_text())["image"] is None


def test_a_start_leaves_the_file_of_a_clone(file, instance):
    clone_file.write(instance, _CLONE)
    before = file.read_bytes()
    clone_file.ensure(instance, _attributes("/run/fpga-nova/clone.json"))
    assert file.read_bytes() == before


def test_the_mount_cannot_be_written(file, instance):
    assert clone_file.mount(instance.uuid) == {
        "Target": "/run/fpga-nova/clone.json",
        "Source": str(file),
        "Type": "bind",
        "ReadOnly": True,
    }


def test_nothing_is_left_after_a_removal(file, instance, tmp_path):
    clone_file.write(instance, _CLONE)
    assert clone_file.uuids() == [instance.uuid]
    clone_file.remove(instance.uuid)
    clone_file.remove(instance.uuid)
    assert clone_file.uuids() == []
    assert not pathlib.Path(tmp_path, "instances", instance.uuid).exists()
