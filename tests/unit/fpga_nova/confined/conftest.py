# SPDX-License-Identifier: Apache-2.0
"""Who runs what is confined: root, or an ordinary user."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import typing

import pytest

#: An ordinary user whom nothing else runs as.
USER = 64123

ROOT = pathlib.Path(__file__).parents[4]

_CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from fpga_nova.confined.confinement import Confinement
from fpga_nova.deadline import Deadline
box = Confinement(*map(int, sys.argv[2:4]))
ran = box.run(["sh", "-c", sys.argv[4]], Deadline(float(sys.argv[5])))
sys.stdout.write(ran.output)
sys.stderr.write(ran.errors)
sys.exit(ran.status & 0x7f)
"""


class Runner(typing.Protocol):
    """Runs a script of shell confined."""

    def __call__(
        self, script: str, memory: int = ..., file_size: int = ..., seconds: float = ...
    ) -> "subprocess.CompletedProcess[str]": ...


@pytest.fixture(scope="session")
def readable() -> typing.Iterator[pathlib.Path]:
    """Where every user can import the package."""
    with tempfile.TemporaryDirectory(prefix="fpga-nova-confined-", dir="/tmp") as name:
        folder = pathlib.Path(name)
        shutil.copytree(ROOT / "fpga_nova", folder / "fpga_nova")
        folder.chmod(0o755)
        yield folder


@pytest.fixture(params=["root", "user"])
def confined(request: pytest.FixtureRequest, readable: pathlib.Path) -> Runner:
    """By root, and by an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip("only root can be both")
    user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    become = ["setpriv", *(user if request.param == "user" else []), "--"]

    def run(
        script: str, memory: int = 1 << 30, file_size: int = 1 << 20, seconds: float = 20
    ) -> "subprocess.CompletedProcess[str]":
        # The system's Python, which every user can run; the package needs no other module.
        return subprocess.run(
            [
                *(*become, "/usr/bin/env", "-i", f"SECRET={os.getpid()}"),
                *("/usr/bin/python3", "-Bc", _CODE, str(readable)),
                *(str(memory), str(file_size), script, str(seconds)),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    return run
