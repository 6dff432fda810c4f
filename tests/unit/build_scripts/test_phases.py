# SPDX-License-Identifier: Apache-2.0
"""How a run of Ansible is shown: Ansible itself runs small playbooks."""

import json
import os
import re
import subprocess
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / ".tools/bin/ansible-playbook"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs .tools: make tools")

RUN = {"name": "Run it", "ansible.builtin.command": "/bin/echo words", "changed_when": False}
CHANGE = {"name": "Change it", "ansible.builtin.command": "/bin/true"}
FAIL = {"name": "Break it", "ansible.builtin.command": "/bin/sh -c 'echo reason >&2; exit 3'"}


def play(
    folder: Path, host: str, *tasks: dict[str, typing.Any], logs: typing.Sequence[str] = ()
) -> str:
    """What a run of one play prints."""
    description = {
        "name": "A phase",
        "hosts": "all",
        "gather_facts": False,
        "vars": {"phase_logs": list(logs)},
        "tasks": list(tasks),
    }
    inventory = {"all": {"hosts": {host: {"ansible_connection": "local", "demo_dir": str(folder)}}}}
    (folder / "play.yml").write_text(json.dumps([description]))
    (folder / "inventory.yml").write_text(json.dumps(inventory))
    done = subprocess.run(
        [str(PROGRAM), "--inventory", str(folder / "inventory.yml"), str(folder / "play.yml")],
        cwd=ROOT / "build_scripts",
        env=os.environ | {"ANSIBLE_HOME": str(folder / "ansible")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_phase_that_changes_nothing_is_as_it_was(tmp_path: Path) -> None:
    output = play(tmp_path, "localhost", RUN)
    assert re.search(r"^   A phase +as it was +\d+\.\d s$", output, re.MULTILINE)
    assert re.search(r"^Done after \d+\.\d s$", output, re.MULTILINE)


def test_change_and_count_of_a_host_are_shown(tmp_path: Path) -> None:
    output = play(tmp_path, "compute1", RUN, CHANGE)
    assert re.search(r"^   A phase +done ", output, re.MULTILINE)
    assert re.search(r"^   compute1 +2 ok, 1 changed, 0 failed$", output, re.MULTILINE)


def test_failure_shows_its_reason_and_the_end_of_the_logs(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log/nova-api.log").write_text("early\n" * 20 + "last words\n")
    output = play(tmp_path, "localhost", FAIL, logs=["nova-api", "missing"])
    assert "Error: A phase: Break it failed\n  reason\n" in output
    assert "  last words\n" in output and output.count("early") == 19
    assert "Done" not in output


def test_failure_elsewhere_says_where_the_logs_are(tmp_path: Path) -> None:
    output = play(tmp_path, "compute1", FAIL, logs=["nova-api"])
    assert "Error: A phase: Break it failed on compute1\n  reason\n" in output
    assert f"The logs are on compute1: {tmp_path}/log/nova-api.log\n" in output
