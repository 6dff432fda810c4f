# SPDX-License-Identifier: Apache-2.0
"""The driver in the contributor guide works: the real fpga-cli burns, shows and erases with it."""

import os
import tomllib
from pathlib import Path

import pytest

from tests.support import bitstreams
from tests.support.host import Host
from tests.unit.docs import pages

BLOCKS = {
    block.mark.removeprefix("file: "): block.text
    for block in pages.blocks(pages.ROOT / "docs/contributing.md")
    if block.mark.startswith("file: ")
}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which the driver is installed, as far as Python can see."""
    project = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    place = tmp_path / "installed"
    (place / f"folder_driver-{project['version']}.dist-info").mkdir(parents=True)
    (place / "folder_driver.py").write_text(BLOCKS["folder_driver.py"])
    lines = [f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"]
    (place / "folder_driver-1.0.dist-info/METADATA").write_text("".join(lines))
    (group, points), *_others = project["entry-points"].items()
    entries = "".join(f"{name} = {value}\n" for name, value in points.items())
    (place / "folder_driver-1.0.dist-info/entry_points.txt").write_text(f"[{group}]\n{entries}")
    monkeypatch.setenv("PYTHONPATH", str(place))
    return Host(tmp_path, drivers="folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="fpga-cli is root's")
def test_driver_of_the_guide_burns_and_erases(host: Host, tmp_path: Path) -> None:
    package = tmp_path / "package.zip"
    made = bitstreams.package(
        "copy",
        b"bits",
        target={"board": "folder", "part": "folder"},
        exposes=[{"kind": "pipe", "name": "/dev/fpga0"}],
    )
    package.write_bytes(made)
    region_id = host.burn("--file", str(package))
    (held, free) = host.status()["regions"]
    assert (held["id"], held["state"], held["healthy"]) == (region_id, "programmed", True)
    assert (held["function"], free["state"]) == ("copy", "free")
    assert Path(held["nodes"][0]["path"]).is_fifo()
    (Path(held["nodes"][0]["path"]).parent / "record.json").write_text("{")
    assert host.status()["regions"][0]["healthy"] is None
    assert host.run("erase", region_id).returncode == 0
    assert host.states() == ["free", "free"]
