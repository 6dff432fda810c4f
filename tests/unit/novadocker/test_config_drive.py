# SPDX-License-Identifier: Apache-2.0
"""The files of a config drive; Nova's own content, which needs its database, is stood in for."""

import os
import pathlib
import stat

import pytest

from novadocker import config_drive


class _Metadata:
    """Has the method of Nova's class that yields the files."""

    content = (("openstack/latest/meta_data.json", b"{}"), ("ec2/latest/user-data", "text"))

    def __init__(self, instance, network_info):
        self.network_info = network_info

    def metadata_for_config_drive(self):
        yield from self.content


@pytest.fixture
def drive(config, instance, monkeypatch, tmp_path):
    """The folder that is mounted."""
    monkeypatch.setattr(config_drive.base, "InstanceMetadata", _Metadata)
    return tmp_path / "instances" / instance.uuid / "config-drive" / "files"


def _modes(folder):
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_every_user_of_the_container_reads_the_files_and_nobody_else(drive, instance, umask):
    before = os.umask(umask)
    try:
        config_drive.write(instance, [])
    finally:
        os.umask(before)
    assert _modes(drive) == {
        ".": 0o755,
        "ec2": 0o755,
        "ec2/latest": 0o755,
        "ec2/latest/user-data": 0o444,
        "openstack": 0o755,
        "openstack/latest": 0o755,
        "openstack/latest/meta_data.json": 0o444,
    }
    assert stat.S_IMODE(drive.parent.stat().st_mode) == 0o700
    assert (drive / "ec2/latest/user-data").read_text() == "text"


def test_files_take_the_place_of_older_ones(drive, instance, monkeypatch):
    config_drive.write(instance, [])
    monkeypatch.setattr(_Metadata, "content", (("openstack/new", b"new"),))
    config_drive.write(instance, [])
    assert [path.name for path in drive.rglob("*") if path.is_file()] == ["new"]


def test_what_a_killed_process_left_half_written_does_not_matter(drive, instance):
    half = drive.with_name("new")
    half.mkdir(parents=True)
    (half / "half").touch()
    config_drive.write(instance, [])
    assert not (drive / "half").exists()


def test_files_stay_if_nova_cannot_say_what_is_new(drive, instance, monkeypatch):
    config_drive.write(instance, [])

    def fail(*_arguments, **_more):
        raise ConnectionError("Neutron is down")

    monkeypatch.setattr(config_drive.base, "InstanceMetadata", fail)
    config_drive.renew(instance, [])
    assert (drive / "openstack/latest/meta_data.json").exists()


def test_the_mount_cannot_be_written(drive, instance):
    mount = config_drive.mount(instance.uuid)
    assert mount == {
        "Target": "/run/openstack",
        "Source": str(drive),
        "Type": "bind",
        "ReadOnly": True,
    }


def test_a_container_with_a_config_drive_is_known_by_its_mount():
    def container(*targets):
        return {"HostConfig": {"Mounts": [{"Target": target} for target in targets] or None}}

    assert config_drive.is_in(container("/dev/fpga0", "/run/openstack"))
    assert not config_drive.is_in(container("/dev/fpga0"))
    assert not config_drive.is_in(container())


def test_nothing_is_left_after_a_removal(drive, instance, tmp_path):
    config_drive.write(instance, [])
    assert config_drive.uuids() == [instance.uuid]
    config_drive.remove(instance.uuid)
    config_drive.remove(instance.uuid)
    assert config_drive.uuids() == []
    assert not pathlib.Path(tmp_path, "instances", instance.uuid).exists()
