# SPDX-License-Identifier: Apache-2.0
"""What the commands of the demo's shell call."""

import os
import subprocess
import typing
from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).parents[3] / "build_scripts/roles/nova_controller"


def _items() -> list[dict[str, typing.Any]]:
    tasks = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    return next(
        task["loop"]
        for task in tasks
        if task.get("ansible.builtin.template", {}).get("src") == "command.j2"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a demo whose programs print what they are called with."""
    programs = tmp_path / "venv/bin"
    programs.mkdir(parents=True)
    variables = {
        "demo_dir": tmp_path,
        "cloud_bin": programs,
        "etc_dir": "/demo/etc",
        "nova_user": "nova",
    }
    for item in _items():
        options = jinja2.Template(item["options"]).render(variables)
        text = jinja2.Template((ROLE / "templates/command.j2").read_text(), trim_blocks=True)
        (tmp_path / item["name"]).write_text(
            text.render(variables, item=item | {"options": options})
        )
        (programs / item["name"]).write_text('#!/bin/sh\necho "$@"\n')
        for path in (tmp_path / item["name"], programs / item["name"]):
            path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("nova-manage placement audit", "--config-file /demo/etc/nova/nova.conf placement audit"),
        ("fpga-manage check --fix", "--config-file /demo/etc/nova/nova.conf check --fix"),
        (
            "fpga-patch doctor --role compute",
            "doctor --etc /demo/etc/nova --user nova --role compute",
        ),
        ("fpga-patch", ""),
    ],
)
def test_command_is_called_with_the_demos_configuration(
    folder: Path, command: str, called: str
) -> None:
    result = subprocess.run(
        command.split(),
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout.strip()) == (0, called)
