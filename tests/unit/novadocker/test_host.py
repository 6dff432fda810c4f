# SPDX-License-Identifier: Apache-2.0
"""What is read off the host and the engine."""

from types import SimpleNamespace

import pytest

from novadocker import host


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("20.10.24+dfsg1", 20010024),
        ("28.2.2", 28002002),
        ("24.0", 24000000),
        ("29.0.0-rc.1", 29000000),
        ("dev", 0),
        ("", 0),
    ],
)
def test_versions_can_be_compared(version, number):
    assert host.version_number(version) == number


def test_the_disk_of_the_engine_counts_where_it_can_be_seen(config, tmp_path):
    config(instances_path="/nonexistent")
    total, free = host.disk_gb(str(tmp_path))
    assert 0 <= free <= total > 0


def test_a_size_that_cannot_be_seen_is_not_zero(config):
    config(instances_path="/nonexistent")
    with pytest.raises(FileNotFoundError, match="/nonexistent"):
        host.disk_gb("/no/such/folder")


def test_the_folder_of_instances_counts_otherwise(config, tmp_path):
    config(instances_path=str(tmp_path))
    total, _free = host.disk_gb(str(tmp_path))
    assert host.disk_gb("/no/such/folder")[0] == host.disk_gb(None)[0] == total


def test_cpu_info_describes_the_first_processor():
    text = "vendor_id\t: A\nmodel name\t: B: 2\nflags\t\t: y x\n\nvendor_id\t: C\n"
    found = host.cpu_info(text, "x86_64")
    assert (found["vendor"], found["model"], found["features"]) == ("A", "B: 2", ["x", "y"])


def test_cpu_info_of_an_unknown_kind_is_empty():
    assert host.cpu_info("", "aarch64")["features"] == []


ENGINE = {"Architecture": "x86_64", "ServerVersion": "20.10.24", "DockerRootDir": "/"}


def test_the_node_has_the_uuid_that_nova_keeps_for_the_host(config, monkeypatch):
    monkeypatch.setattr(host, "node", SimpleNamespace(get_local_node_uuid=lambda: "kept"))
    assert host.resources(ENGINE)["uuid"] == "kept"


def test_the_uuid_is_left_to_a_nova_that_keeps_none(config, monkeypatch):
    monkeypatch.setattr(host, "node", None)
    assert "uuid" not in host.resources(ENGINE)
