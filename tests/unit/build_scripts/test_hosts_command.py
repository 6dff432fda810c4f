# SPDX-License-Identifier: Apache-2.0
"""The command of local hosts: what it takes, and what it says where there is nothing to do."""

import subprocess
import sys
from pathlib import Path

import pytest
from local_hosts import command, model, store
from local_hosts.model import LocalHostsError, Request, Site

PROGRAM = Path(__file__).parents[3] / "build_scripts/hosts.py"


def call(folder: Path, *words: str) -> int:
    return command.main(["--folder", str(folder / "hosts"), "--roots", str(folder), *words])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["2"], [Request("controller"), Request("compute1")]),
        (["--host", "a", "--host", "b=10.77.0.40"], [Request("a"), Request("b", "10.77.0.40")]),
    ],
)
def test_hosts_are_given_by_number_or_by_name(words: list[str], expected: list[Request]) -> None:
    assert command.requests(command.parser().parse_args(["up", *words])) == expected


@pytest.mark.parametrize("words", [[], ["2", "--host", "a"]])
def test_hosts_that_are_given_neither_or_both_ways_are_refused(words: list[str]) -> None:
    with pytest.raises(LocalHostsError, match="give a number of hosts"):
        command.requests(command.parser().parse_args(["up", *words]))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["up"], "give a number"),
        (["up", "0"], "0 hosts"),
        (["up", "1", "--subnet", "x"], "--subnet x"),
        (["up", "1", "--share", "relative"], "--share relative"),
        (["up", "1", "--user", "a b"], "--user 'a b'"),
        (["status"], "run 'up'"),
        (["inventory"], "run 'up'"),
        (["cut", "compute1"], "run 'up'"),
        (["exec", "compute1", "true"], "cannot be reached, run 'up'"),
        (["exec", "compute1"], "give a command"),
        (["kill", "compute1"], "cannot be reached, run 'up'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    words: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(tmp_path, *words) == 1
    assert reason in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_removal_of_no_hosts_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(tmp_path, "down") == 0
    assert "there are no hosts" in capsys.readouterr().out


def test_inventory_needs_no_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts = store.Store(tmp_path / "hosts")
    hosts.prepare()
    site = Site(model.network(model.SUBNET))
    hosts.save(model.extend(site, model.default_requests(1), "bookworm"))
    assert call(tmp_path, "inventory") == 0
    assert '"internal_address": "10.77.0.11"' in capsys.readouterr().out


def test_two_commands_do_not_change_hosts_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.Store((tmp_path / "hosts").resolve()).alone():
        assert call(tmp_path, "down") == 1
    assert "another command is at work" in capsys.readouterr().err


def test_program_prints_its_help() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--help"], check=True, capture_output=True, text=True
    )
    assert "take a host's cable out" in done.stdout
