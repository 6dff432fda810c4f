# SPDX-License-Identifier: Apache-2.0
"""Clouds of hosts on this machine: which file they have, and which hosts they ask for."""

import dataclasses
from pathlib import Path

import pytest
from deployment import catalogue, command, loader, local, playbook, preflight
from deployment.folder import Folder
from local_hosts import model as hosts_model
from local_hosts.model import Host, LocalHostsError, Share
from local_hosts.operations import LocalHosts

from tests.unit.build_scripts.cloud_hosts import EXAMPLE


@dataclasses.dataclass
class Calls:
    """What the local hosts were asked for; none of them is made."""

    hosts: list[hosts_model.Request]
    suite: str = ""
    common: hosts_model.Common | None = None
    known: tuple[Host, ...] = ()
    downs: int = 0
    fault: str = ""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    found = Calls([])

    def up(
        _self: LocalHosts,
        requests: list[hosts_model.Request],
        suite: str,
        common: hosts_model.Common,
    ) -> None:
        if found.fault:
            raise LocalHostsError(found.fault)
        found.hosts, found.suite, found.common = requests, suite, common

    def down(_self: LocalHosts) -> None:
        found.downs += 1

    monkeypatch.setenv("CLOUDS_DIR", str(tmp_path / "clouds"))
    monkeypatch.setenv("HOSTS_DIR", str(tmp_path / "hosts"))
    monkeypatch.setattr(LocalHosts, "up", up)
    monkeypatch.setattr(LocalHosts, "down", down)
    monkeypatch.setattr(LocalHosts, "known", lambda _self: found.known)
    monkeypatch.setattr(local.services, "missing_packages", list)
    monkeypatch.setattr(preflight, "look", lambda *_: [])
    monkeypatch.setattr(playbook, "run", lambda *_: 0)
    return found


@pytest.fixture
def file(calls: Calls, tmp_path: Path) -> Path:
    """Where the file of a call is that names none."""
    return tmp_path / "clouds/local/cloud.yaml"


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_new_description_has_one_controller_and_one_host_with_regions(count: int) -> None:
    cloud = loader.parse(local.describe(count).encode(), catalogue.read())
    assert len(cloud.nodes) == count
    assert [node.name for node in cloud.nodes if node.fpga] == [
        "compute1" if count > 1 else "controller"
    ]
    assert len({node.address for node in cloud.nodes}) == count


@pytest.mark.parametrize("count", [300, 10**30])
def test_more_hosts_than_addresses_are_refused(count: int) -> None:
    with pytest.raises(local.DeploymentError, match=f"--local {count}"):
        local.describe(count)


def test_up_makes_the_file_the_hosts_and_the_way_to_them(
    calls: Calls, file: Path, tmp_path: Path
) -> None:
    assert command.main(["up", "--local", "2"]) == 0
    assert [(one.name, one.address) for one in calls.hosts] == [
        ("controller", "10.77.0.11"),
        ("compute1", "10.77.0.12"),
    ]
    hosts = tmp_path / "hosts"
    assert calls.suite == "bookworm"
    assert calls.common == hosts_model.Common(
        hosts_model.network("10.77.0.0/24"),
        "root",
        (Share(str(hosts / "venv"), "/var/lib/fpga-nova/cloud/venv", "controller"),),
    )
    folder = Folder(file.parent)
    assert folder.key.readlink() == hosts / "ssh/id_ed25519"
    assert folder.known_hosts.readlink() == hosts / "ssh/known_hosts"
    assert command.main(["up", "--local"]) == 0


def test_file_that_was_changed_counts(calls: Calls, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(
        local.describe(2).replace("compute1", "fpga1").replace("debian-12", "debian-13")
    )
    before = file.read_text()
    assert command.main(["up", "--local"]) == 0
    assert ([one.name for one in calls.hosts], calls.suite) == (["controller", "fpga1"], "trixie")
    assert file.read_text() == before


def test_other_number_of_hosts_is_refused(
    calls: Calls, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["up", "--local", "2"]) == 0
    before = file.read_text()
    assert command.main(["up", "--local", "3"]) == command.WRONG
    assert "has 2 nodes, not 3" in capsys.readouterr().err
    assert (len(calls.hosts), file.read_text()) == (2, before)


def test_hosts_are_those_of_a_file(calls: Calls, tmp_path: Path) -> None:
    assert command.main(["up", str(EXAMPLE), "--local"]) == 0
    assert [one.address for one in calls.hosts] == [
        f"192.168.0.{number}" for number in (10, 11, 12)
    ]
    assert calls.common and str(calls.common.network) == str(hosts_model.network("192.168.0.0/24"))
    assert command.main(["down", str(EXAMPLE), "--local"]) == 0
    assert EXAMPLE.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["status", "--local"], "cloud.yaml is not there; make the cloud with"),
        (["up"], "name the FILE"),
        (["up", str(EXAMPLE), "--local", "3"], "--local takes no number beside FILE"),
        (["down", str(EXAMPLE), "--local", "--limit", "compute1"], "leave --limit out"),
    ],
)
def test_wrong_call_is_refused(
    words: list[str], reason: str, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == command.WRONG
    assert reason in capsys.readouterr().err
    assert not calls.hosts and not calls.downs


@pytest.mark.parametrize("word", ["0", "-1", "x", "cloud.yaml", "\N{SUPERSCRIPT TWO}"])
def test_number_that_is_none_is_refused(word: str, calls: Calls) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["up", "--local", word])


def test_fault_of_the_hosts_is_reported(
    calls: Calls, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.fault = "no room"
    assert command.main(["up", "--local", "2"]) == command.WRONG
    assert "local hosts: no room" in capsys.readouterr().err


def test_key_of_other_hosts_is_kept(
    calls: Calls, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(file.parent)
    folder.make()
    folder.key.write_text("mine")
    assert command.main(["up", "--local", "2"]) == command.WRONG
    assert "name another --folder" in capsys.readouterr().err
    assert folder.key.read_text() == "mine"


def test_removal_ends_with_a_new_start(calls: Calls, file: Path) -> None:
    assert command.main(["up", "--local", "2"]) == 0
    calls.known = (Host(1, "controller", "10.77.0.11", "bookworm"),)
    assert command.main(["down", "--local"]) == 0
    assert (calls.downs, file.parent.exists()) == (1, False)
    assert command.main(["up", "--local", "3"]) == 0


def test_hosts_of_others_are_not_removed(
    calls: Calls, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["up", "--local", "2"]) == 0
    calls.known = (Host(9, "other", "10.77.0.19", "bookworm"),)
    assert command.main(["down", "--local"]) == command.WRONG
    assert "hosts that are not in the file: other" in capsys.readouterr().err
    assert (calls.downs, file.exists()) == (0, True)


def test_environments_are_written_by_the_controller_of_the_file(calls: Calls, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(local.describe(2).replace("name: controller", "name: head"))
    assert command.main(["up", "--local"]) == 0
    assert calls.common and calls.common.shares
    assert [share.writer for share in calls.common.shares] == ["head"]
