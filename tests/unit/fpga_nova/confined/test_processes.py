# SPDX-License-Identifier: Apache-2.0
"""Running other programs: what they get, what is kept of them, and how they are ended."""

import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
from tests.support.host import wait_until

PARENT = """
import sys
from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
processes.run(["/bin/sh", "-c", "echo $$ > " + sys.argv[1] + "; sleep 60"], Deadline(60))
"""


def shell(script: str, seconds: float = 10, **more: object) -> processes.Finished:
    return processes.run(["/bin/sh", "-c", script], Deadline(seconds), **more)  # type: ignore[arg-type]


def is_gone(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in ("Z", "X")


def wait_until_gone(pid: int) -> None:
    wait_until(lambda: is_gone(pid))


def wait_for_pid(file: pathlib.Path) -> int:
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), 60)
    return int(file.read_text())


def test_outputs_and_status_are_reported() -> None:
    finished = shell("echo out; echo err >&2; exit 3")
    assert (finished.name, finished.status) == ("sh", 3)
    assert (finished.output, finished.errors) == ("out\n", "err\n")


def test_environment_of_the_caller_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_OF_A_TENANT", "evil")
    environment = dict(line.split("=", 1) for line in shell("env").output.splitlines())
    assert "LD_PRELOAD_OF_A_TENANT" not in environment
    assert environment["PATH"] == processes.PATH


def test_standard_input_is_empty() -> None:
    assert shell("cat; echo end").output == "end\n"


def test_arguments_are_not_seen_by_a_shell() -> None:
    finished = processes.run(["printf", "%s", "$(id); `id` > /x"], Deadline(10))
    assert finished.output == "$(id); `id` > /x"


def test_name_is_looked_for_in_the_fixed_path_only(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xbutil").write_text("#!/bin/sh\n")
    (tmp_path / "xbutil").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(processes.Failed, match="xbutil is not installed in /usr/local/sbin"):
        processes.run(["xbutil"], Deadline(1))


@pytest.mark.parametrize("name", ["./sh", "bin/sh"])
def test_relative_path_is_no_program(name: str) -> None:
    with pytest.raises(processes.Failed, match="is not installed"):
        processes.run([name], Deadline(1))


def test_program_that_cannot_be_run_is_reported(tmp_path: pathlib.Path) -> None:
    with pytest.raises(processes.Failed, match="nothing cannot be run: No such file"):
        processes.run([str(tmp_path / "nothing")], Deadline(1))
    (tmp_path / "data").write_text("")
    with pytest.raises(processes.Failed, match="data cannot be run: Permission denied"):
        processes.run([str(tmp_path / "data")], Deadline(1))


def test_program_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: pathlib.Path,
) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    start = time.monotonic()
    with pytest.raises(processes.TooLong, match=r"sh did not end within 2 seconds"):
        shell(script, 2)
    assert time.monotonic() - start < 30
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_program_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_GRACE", 0.1)
    start = time.monotonic()
    with pytest.raises(processes.TooLong):
        shell("trap '' TERM; while :; do sleep 0.05; done", 2)
    assert time.monotonic() - start < 30


def test_output_is_kept_up_to_the_limit_and_the_program_goes_on() -> None:
    place = processes.Place(most=1000)
    finished = shell("head -c 3000000 /dev/zero; echo done >&2", place=place)
    assert (len(finished.output), finished.errors, finished.status) == (1000, "done\n", 0)


def test_child_that_stays_behind_with_the_output_open_is_not_waited_for() -> None:
    start = time.monotonic()
    finished = shell("echo early; sleep 30 & exit 0")
    assert (finished.output, finished.status) == ("early\n", 0)
    assert time.monotonic() - start < 25


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert shell(r"printf 'a\377b'").output == "a\ufffdb"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo progress; echo 'no cable' >&2; echo >&2; exit 1", "sh ended with 1: no cable"),
        ("echo only output; exit 2", "sh ended with 2: only output"),
        ("exit 4", "sh ended with 4"),
        ("kill -SEGV $$", "sh died of SIGSEGV"),
        ("kill -40 $$", "sh died of signal 40"),
    ],
)
def test_complaint_is_the_last_line_that_was_said(script: str, complaint: str) -> None:
    assert shell(script).complaint == complaint


def test_program_is_ended_when_the_command_is_interrupted(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"

    def interrupted(*arguments: object) -> None:
        wait_for_pid(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "_collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shell(f"echo $$ > {pid}; exec sleep 60")
    wait_until_gone(int(pid.read_text()))


def test_program_inherits_the_lock_that_it_is_to_keep(tmp_path: pathlib.Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    shell(f"sleep 60 & echo $! > {tmp_path}/pid", keep=[descriptor])
    os.close(descriptor)
    other = os.open(tmp_path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    fcntl.flock(other, fcntl.LOCK_EX)
    os.close(other)


def test_program_dies_with_the_process_that_started_it(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(file)])
    pid = wait_for_pid(file)
    assert parent.poll() is None
    parent.kill()
    parent.wait()
    wait_until_gone(pid)
