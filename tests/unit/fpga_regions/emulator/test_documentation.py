# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/emulator.md, as they stand there."""

import os
import pathlib
import re
import subprocess
import textwrap

from tests.support.host import Host, talk

from ..conftest import owner

ROOT = pathlib.Path(__file__).parents[4]


def commands(*words: str) -> str:
    """The blocks of the page that begin with these words."""
    page = (ROOT / "docs" / "emulator.md").read_text()
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?m)(?:^    .*\n)+", page)]
    (found,) = (block for block in blocks if block.startswith(words))
    return found


def run(host: Host, script: str) -> None:
    """Run a block in a folder where the repository's files are, with the system's own Python."""
    host.wrapper()
    path = f"{host.folder}:{os.defpath}"
    command = ["env", "-i", f"PATH={path}", "bash", "-euo", "pipefail", "-c", script]
    result = subprocess.run(command, cwd=host.folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_core_of_ones_own_is_made_and_burnt_as_the_page_says(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, emulator__engine="icarus")
    (tmp_path / "fpga_regions").symlink_to(ROOT / "fpga_regions")
    (tmp_path / "my.v").write_text((ROOT / "cores" / "template.v").read_text())
    run(host, commands("yosys"))
    host.burn("--file", str(tmp_path / "my.zip"), "--owner", owner())
    (region,) = [region for region in host.status()["regions"] if region["owner"]]
    assert region["function"] == "my_function"
    assert talk(region["nodes"][0]["path"], b"what goes in comes out") == b"what goes in comes out"
    host.close()


def test_function_in_software_is_packed_as_the_page_says(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path)
    run(host, commands("echo"))
    host.burn("--file", str(tmp_path / "lzo.zip"), "--owner", owner())
    host.close()
