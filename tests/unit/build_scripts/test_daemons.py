# SPDX-License-Identifier: Apache-2.0
"""What stopping a demo cloud ends besides its daemons, and what it leaves alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "build_scripts/roles/common/files/daemons.py"
SLEEP = shutil.which("sleep") or "/bin/sleep"

pytestmark = pytest.mark.skipif(
    shutil.which("start-stop-daemon") is None, reason="needs Debian's dpkg"
)


@pytest.mark.parametrize(
    ("program", "works_in", "ended"),
    [
        ("bin/nap", ".", True),
        (SLEEP, "run/fpga/work/one", True),
        (SLEEP, "run", False),
    ],
    ids=["a program of the cloud", "a tool of the compiler", "somebody who looks around"],
)
def test_what_is_left_of_the_cloud_is_ended_and_nothing_else(
    tmp_path: Path, program: str, works_in: str, ended: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "run/fpga/work/one").mkdir(parents=True)
    shutil.copy(SLEEP, tmp_path / "bin" / "nap")
    command = [str(tmp_path / program), "300"]
    with subprocess.Popen(command, cwd=tmp_path / works_in) as process:
        try:
            stop = [sys.executable, str(PROGRAM), str(tmp_path / "run"), "stop"]
            subprocess.run(stop, check=True, timeout=60)
            assert (os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG) is not None) == ended
        finally:
            process.kill()
