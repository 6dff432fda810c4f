# SPDX-License-Identifier: Apache-2.0
"""What a command asks the hosts of a cloud before it changes them."""

import dataclasses
import ipaddress
import shutil
import typing
from pathlib import Path

import pytest
from deployment import command, model, playbook, preflight
from deployment.folder import Folder

from tests.unit.build_scripts.cloud_hosts import EXAMPLE, FIT, Hosts, call


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """The playbooks that are run, and their nodes; nothing runs indeed."""
    calls: list[tuple[str, list[str]]] = []

    def run(
        name: str, cloud: model.Deployment, folder: Folder, nodes: typing.Sequence[model.Node]
    ) -> int:
        calls.append((name, [node.name for node in nodes]))
        return 0

    monkeypatch.setattr(playbook, "run", run)
    return calls


class TestPreflight:
    def test_probe_finds_the_facts_of_a_real_host(
        self, hosts: Hosts, folder: Folder, tmp_path: Path
    ) -> None:
        cloud = dataclasses.replace(hosts.cloud, folder=str(tmp_path / "a/b"))
        (report,) = preflight.look(cloud, folder, cloud.nodes[:1])
        assert report.facts["system"].partition("-")[0].isalpha()
        assert (report.facts["present"], report.facts["foreign"]) == ("no", "")
        assert "install" not in report.facts
        assert report.facts["root"] in ("yes", "no")
        assert preflight.free_gib(report.facts) is not None
        (tmp_path / "a/b").mkdir(parents=True)
        for name in ("venv", "letters"):
            (tmp_path / "a/b" / name).touch()
        (report,) = preflight.look(cloud, folder, cloud.nodes[:1])
        assert report.facts["foreign"] == "letters"
        (tmp_path / "a/b/.fpga-nova-demo").touch()
        (report,) = preflight.look(cloud, folder, cloud.nodes[:1])
        assert report.facts["present"] == "yes"
        (tmp_path / "a/b/venv").unlink()
        for name in ("venv", "packages"):
            (tmp_path / "a/b" / name / "cloud").mkdir(parents=True)
            (report,) = preflight.look(cloud, folder, cloud.nodes[:1])
            assert report.facts["install"] == name

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"system": "ubuntu-24.04"}, "runs ubuntu-24.04, not debian-12"),
            ({"system": "debian-13"}, "runs debian-13, not debian-12"),
            ({"machine": "aarch64"}, "is aarch64, not x86_64"),
            ({"root": "no"}, "root is not root, and sudo wants a password"),
            ({"python": ""}, "/usr/bin/python3 is missing: apt-get install python3"),
            ({"systemd": "no"}, "systemd is not process 1"),
            ({"addresses": "10.1.1.1"}, "has not the address 192.168.0.10, but 10.1.1.1"),
            ({"foreign": "letters"}, "/var/lib/fpga-nova/cloud is not a cloud's: it has letters"),
            (
                {"free_kib": str(2 << 20)},
                "room for /var/lib/fpga-nova/cloud: 2.0 GiB, needed 4 GiB",
            ),
            (
                {"present": "yes", "install": "packages"},
                "has the cloud by install: packages, not venv; run `down` first",
            ),
            ({"free_kib": ""}, "room for /var/lib/fpga-nova/cloud: unknown, needed 4 GiB"),
        ],
    )
    def test_fault_of_a_host_is_named(
        self, changes: dict[str, str], fault: str, hosts: Hosts
    ) -> None:
        node = hosts.cloud.nodes[0]
        facts = FIT | {"addresses": "192.168.0.10 fd00::1"}
        assert list(preflight.judge(hosts.cloud, node, facts)) == []
        facts_of_venv = facts | {"present": "yes", "install": "venv"}
        assert list(preflight.judge(hosts.cloud, node, facts_of_venv)) == []
        assert list(preflight.judge(hosts.cloud, node, facts | changes)) == [fault]

    def test_compute_host_keeps_its_name_in_nova(self, hosts: Hosts) -> None:
        controller, compute1, _ = hosts.cloud.nodes
        facts = FIT | {"present": "yes", "nova_host": "compute1"}
        assert list(preflight.judge(hosts.cloud, compute1, facts)) == []
        assert list(preflight.judge(hosts.cloud, controller, facts)) == []
        assert list(preflight.judge(hosts.cloud, compute1, facts | {"nova_host": "fpga1"})) == [
            "is the host fpga1 of Nova: name the node so, or run `down` for it first"
        ]

    def test_certificate_that_up_makes_anew_is_named_and_keeps_up_from_nothing(
        self,
        hosts: Hosts,
        folder: Folder,
        played: list[tuple[str, list[str]]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        folder.make()
        folder.vault.touch()
        hosts.fit(present="yes", certificate="yes")
        assert call("check", folder) == 0
        hosts.fit(present="yes", certificate="")
        assert call("check", folder) == 1
        words = "its certificate for OVN's database"
        assert " ".join(capsys.readouterr().out.split()).count("its certificate") == 3, words
        assert call("up", folder) == 0
        assert played

    def test_hosts_that_share_no_database_need_no_certificate(self, hosts: Hosts) -> None:
        controller, compute1, _ = hosts.cloud.nodes
        usages = [preflight.usage_of(hosts.cloud, node) for node in (controller, compute1)]
        assert usages == ["serverAuth", "clientAuth"]
        alone = dataclasses.replace(controller, roles=("controller", "compute"))
        for cloud in (
            dataclasses.replace(hosts.cloud, nodes=(alone,)),
            dataclasses.replace(hosts.cloud, networks=False),
        ):
            assert preflight.usage_of(cloud, cloud.nodes[0]) is None

    @pytest.mark.parametrize(
        ("changes", "tunnel", "external", "fault"),
        [
            ({}, None, "eth1", None),
            ({}, None, "eth2", "has no interface eth2"),
            ({}, None, "eth0", "eth0 has an address, and the switch would take it over"),
            ({}, "eth0", None, "has not the address of its tunnels, 10.1.0.2"),
            ({"addresses": "192.168.0.11 10.1.0.2"}, "eth0", None, None),
            ({"datapath": "no"}, None, None, "its kernel lacks Open vSwitch: give the node"),
            ({"datapath": "no"}, "eth1", None, None),
            ({"datapath": "no"}, "eth0", None, "eth0 has an address, and the switch would take"),
            ({"datapath": "no"}, "eth9", None, "has no interface eth9"),
        ],
    )
    def test_host_can_be_connected_as_the_file_says(
        self,
        changes: dict[str, str],
        tunnel: str | None,
        external: str | None,
        fault: str | None,
        hosts: Hosts,
    ) -> None:
        begin = tunnel and model.Tunnel(tunnel, ipaddress.IPv4Interface("10.1.0.2/24"))
        node = dataclasses.replace(hosts.cloud.nodes[1], tunnel=begin or None, external=external)
        found = list(preflight.judge(hosts.cloud, node, FIT | changes))
        assert [one[: len(fault or "")] for one in found] == ([fault] if fault else [])

    def test_host_with_the_cloud_needs_less_room(self, hosts: Hosts) -> None:
        facts = FIT | {"present": "yes", "free_kib": str(2 << 20), "foreign": "images"}
        assert list(preflight.judge(hosts.cloud, hosts.cloud.nodes[0], facts)) == []

    def test_host_keys_are_pinned(self, hosts: Hosts, folder: Folder) -> None:
        hosts.fit()
        preflight.look(hosts.cloud, folder, hosts.cloud.nodes)
        options = (hosts.folder / "options").read_text().splitlines()
        assert f"UserKnownHostsFile={folder.known_hosts}" in options
        assert "StrictHostKeyChecking=accept-new" in options and "BatchMode=yes" in options


class TestUp:
    def test_fit_hosts_get_the_cloud(
        self, hosts: Hosts, folder: Folder, played: list[tuple[str, list[str]]]
    ) -> None:
        hosts.fit()
        assert call("up", folder) == 0
        assert call("up", folder, "--limit", "compute2") == 0
        names = ["controller", "compute1", "compute2"]
        assert played == [("deploy.yml", names), ("deploy.yml", ["compute2"])]

    def test_nothing_is_changed_if_one_host_is_not_reached(
        self,
        hosts: Hosts,
        folder: Folder,
        played: list[tuple[str, list[str]]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        hosts.fit()
        hosts.cut(hosts.cloud.nodes[2])
        assert call("up", folder) == 1
        assert played == []
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines if line.startswith("comp")] == [
            ["compute1", "192.168.0.11", "yes"],
            ["compute2", "192.168.0.12", "no"],
        ]
        assert "No route to host" in " ".join(" ".join(lines).split())
        assert call("up", folder, "--limit", "controller,compute1") == 0

    def test_cloud_whose_secrets_are_elsewhere_is_left_alone(
        self,
        hosts: Hosts,
        folder: Folder,
        played: list[tuple[str, list[str]]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        hosts.fit(present="yes")
        assert call("up", folder) == 2
        assert played == []
        assert "its secrets are not in" in capsys.readouterr().err
        folder.vault.touch()
        assert call("up", folder) == 0

    def test_machine_that_cannot_build_the_package_is_told_first(
        self,
        folder: Folder,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        text = EXAMPLE.read_text().replace("install: venv", "install: packages")
        file = tmp_path / "cloud.yaml"
        file.write_text(text.replace("2026.2", "2022.2"))
        monkeypatch.setattr(shutil, "which", lambda name: None)
        for verb in ("check", "up"):
            assert command.main([verb, str(file), "--folder", str(folder.path)]) == 2
            assert "lacks dpkg-deb" in capsys.readouterr().err

    def test_two_commands_do_not_change_one_cloud(
        self,
        hosts: Hosts,
        folder: Folder,
        played: list[tuple[str, list[str]]],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with folder.lock():
            assert call("up", folder) == call("down", folder) == call("test", folder) == 2
        assert played == []
        assert "another command works on the cloud" in capsys.readouterr().err

    def test_down_forgets_the_secrets_of_a_whole_cloud_only(
        self, hosts: Hosts, folder: Folder, played: list[tuple[str, list[str]]]
    ) -> None:
        for file in (folder.vault, folder.vault_key, folder.key):
            file.touch()
        assert call("down", folder, "--limit", "compute1") == 0
        assert folder.vault.exists() and folder.vault_key.exists()
        assert call("down", folder) == 0
        assert not folder.vault.exists() and not folder.vault_key.exists()
        assert folder.key.exists()
        assert [name for name, _nodes in played] == ["remove.yml"] * 2
