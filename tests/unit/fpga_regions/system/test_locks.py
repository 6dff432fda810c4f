# SPDX-License-Identifier: Apache-2.0
"""Locks between processes: one holds, others wait or give up, and the dead hold nothing."""

import contextlib
import subprocess
import sys
import threading
import time
import typing
from pathlib import Path

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions.system import locks

_HOLDER = """
import pathlib, sys, time
from fpga_regions.system import locks
with locks.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def holder(path: Path) -> typing.Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock until it is told or killed."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", _HOLDER, str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_lock_of_another_process_is_not_got(tmp_path: Path) -> None:
    with holder(tmp_path / "lock"), pytest.raises(locks.NotLocked), locks.held(tmp_path / "lock"):
        pass


def test_waiting_ends_at_the_deadline(tmp_path: Path) -> None:
    with holder(tmp_path / "lock"):
        before = time.monotonic()
        with pytest.raises(locks.NotLocked), locks.held(tmp_path / "lock", Deadline(0.2)):
            pass
        assert 0.2 <= time.monotonic() - before < 10


def test_waiting_ends_when_the_lock_is_not_wanted_any_more(tmp_path: Path) -> None:
    unwanted = locks.held(tmp_path / "lock", Deadline(30), lambda: False)
    with holder(tmp_path / "lock"), pytest.raises(locks.NotLocked), unwanted:
        pass


def test_lock_is_got_when_its_holder_lets_go(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        assert process.stdin is not None
        threading.Timer(0.1, process.stdin.close).start()
        with locks.held(tmp_path / "lock", Deadline(10)):
            pass


def test_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path / "lock") as process:
        process.kill()
        process.wait()
        with locks.held(tmp_path / "lock"):
            pass


def test_lock_is_let_go_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locks.held(tmp_path / "lock"):
        _ = 1 / 0
    with locks.held(tmp_path / "lock"):
        pass


def test_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), locks.held(tmp_path / "lock"):
        pass
