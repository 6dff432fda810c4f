# SPDX-License-Identifier: Apache-2.0
"""The driver in docs/drivers.md is complete: fpga-cli loads it, burns, reads back and erases."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.host import Host
from tests.unit.docs import pages

PAGE = pages.ROOT / "docs/drivers.md"


def block(begin: str) -> str:
    """The text of the one block of the page that begins so."""
    (found,) = (b.text for b in pages.blocks(PAGE) if b.text.startswith(begin))
    return found


def install(folder: Path) -> None:
    """Put the driver and its entry points where pip would."""
    project = tomllib.loads(block("project.name"))["project"]
    (module,) = tomllib.loads(block("project.name"))["tool"]["setuptools"]["py-modules"]
    (folder / f"{module}.py").write_text(block('"""A driver'))
    info = folder / f"{module}-{project['version']}.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n{name} = {point}\n" for group, p in groups for name, point in p.items()]
    info.joinpath("entry_points.txt").write_text("".join(lines))


@pytest.mark.skipif(os.geteuid() != 0, reason="fpga-cli is root's")
def test_driver_of_ones_own_works_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    host = Host(tmp_path, drivers="acme")
    monkeypatch.setenv("PATH", f"{host.wrapper().parent}:{os.environ['PATH']}")
    subprocess.run(["bash", "-euc", block("echo anything")], cwd=tmp_path, check=True)
    used, free = host.status()["regions"]
    assert (used["state"], used["healthy"], used["function"]) == ("programmed", True, "hello")
    assert free["state"] == "free"
    assert host.run("erase", used["id"]).returncode == 0
    assert host.states() == ["free", "free"]
    assert host.run("reconcile").returncode == 0
