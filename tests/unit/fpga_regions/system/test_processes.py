# SPDX-License-Identifier: Apache-2.0
"""Knowing a process again, and ending it."""

import dataclasses
import os
import subprocess
import sys
import typing

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions.system import processes

_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def child() -> typing.Iterator["subprocess.Popen[str]"]:
    """A process that does not end when it is asked to."""
    command = [sys.executable, "-c", _STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def identified(pid: int) -> processes.Process:
    found = processes.identify(pid)
    assert found is not None
    return found


def test_process_is_known_again() -> None:
    assert processes.alive(identified(os.getpid()))


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_other_process_of_the_same_number_is_not_taken_for_it(
    child: "subprocess.Popen[str]", change: dict[str, typing.Any]
) -> None:
    other = dataclasses.replace(identified(child.pid), **change)
    assert processes.end(other, Deadline(1))
    assert child.poll() is None


def test_process_that_does_not_listen_is_ended(child: "subprocess.Popen[str]") -> None:
    assert processes.end(identified(child.pid), Deadline(0.2))
    assert child.wait() < 0


def test_remains_of_a_process_are_none(child: "subprocess.Popen[str]") -> None:
    process = identified(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identify(child.pid) is None
    assert processes.end(process, Deadline(0.2))
