# SPDX-License-Identifier: Apache-2.0
"""What a confined program can do, and what it cannot, whoever started it."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from tests.support.host import wait_until
from tests.unit.fpga_nova.confined.conftest import ROOT, USER, Runner


def test_program_has_no_privileges_and_gains_none(confined: Runner) -> None:
    words = confined("grep -E 'CapEff|NoNewPrivs' /proc/self/status").stdout.split()
    assert words == ["CapEff:", "0" * 16, "NoNewPrivs:", "1"]


def test_program_of_root_is_nobodys(confined: Runner, request: pytest.FixtureRequest) -> None:
    of_root = "root" in request.node.name
    assert confined("id -u").stdout.strip() in (("65534",) if of_root else ("65534", str(USER)))
    assert confined("cat /etc/shadow").returncode != 0


def test_program_has_no_network(confined: Runner) -> None:
    assert len(confined("cat /proc/net/dev").stdout.splitlines()) == 3  # two of heading, and lo


def test_program_sees_no_environment(confined: Runner) -> None:
    assert "SECRET" not in confined("env").stdout


def test_program_has_no_descriptors_but_three(confined: Runner) -> None:
    assert set(confined("echo /proc/self/fd/*").stdout.split()) <= {
        f"/proc/self/fd/{number}"
        for number in (0, 1, 2, 3)  # the last is the look itself
    }


def test_memory_over_the_limit_is_not_given(confined: Runner) -> None:
    script = "dd if=/dev/zero of=/dev/null bs=128M count=1"
    assert confined(script).returncode == 0
    assert confined(script, memory=64 << 20).returncode != 0


def test_file_over_the_limit_is_not_written(confined: Runner) -> None:
    # Not in the folder of the test, which is below one that only its owner enters.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        file = pathlib.Path(folder, "file")
        file.touch()
        for path in (file, file.parent):
            path.chmod(0o777)
        confined(f"head -c 3000 /dev/zero > {file}", file_size=2000)
        assert file.stat().st_size == 2000


def test_processor_time_over_the_deadline_ends_it(confined: Runner) -> None:
    result = confined("ulimit -t 1; while :; do :; done")
    assert result.returncode != 0


def test_all_that_it_started_ends_with_it(confined: Runner) -> None:
    mark = f"9{os.getpid()}"
    start = time.monotonic()
    result = confined(f"setsid sleep {mark} & sleep {mark} & wait", seconds=1)
    assert "TooLong" in result.stderr
    assert time.monotonic() - start < 15
    wait_until(lambda: _running(mark) == [])


def test_it_dies_with_the_process_that_started_it() -> None:
    mark = f"8{os.getpid()}"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from fpga_nova.confined.confinement import Confinement\n"
        "from fpga_nova.deadline import Deadline\n"
        "box = Confinement(1 << 30, 0)\n"
        "box.run(['sh', '-c', f'setsid sleep {sys.argv[2]} & wait'], Deadline(60))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(ROOT), mark])
    wait_until(lambda: _running(mark) != [], 20)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: _running(mark) == [])


def _running(mark: str) -> list[str]:
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                found.append(path.parent.name)
        except OSError:
            continue
    return found
