# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs that reach a node on another machine, through the agent on theirs."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import typing
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_opencl.protocol import table
from tests.support import opencl, opencl_afar
from tests.support.host import wait_until
from tests.unit.fpga_opencl.test_icd import (
    CHECKS,
    checks,
    run,
    until_loss,
    write_headers,
)

__all__ = ["checks"]

pytestmark = pytest.mark.usefixtures("serving")
_LONG = 120  # seconds
_AGENT = [sys.executable, "-m", "fpga_opencl.agent.command"]


@pytest.fixture
def session(cloud: opencl_afar.Cloud, tmp_path: Path) -> typing.Iterator[Path]:
    """What the service answers of a new session."""
    file = tmp_path / "session.json"
    opencl_afar.keep(place := cloud.place(), file)
    yield file
    cloud.close(place)


@contextlib.contextmanager
def _agent(session: Path, *before: str) -> typing.Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """An agent of a session, which ends with the block; and where it listens.

    :param before: words before its own
    """
    path = session.with_name("s")
    words = [*before, *_AGENT, "--session", str(session), "--socket", str(path)]
    with subprocess.Popen(words, cwd=opencl.ROOT) as process:
        wait_until(path.exists, _LONG)
        yield process, str(path)
        process.terminate()


@pytest.fixture
def agent(session: Path) -> typing.Iterator[str]:
    """Where the agent of a session listens."""
    with _agent(session) as (_, path):
        yield path


@pytest.mark.parametrize("name", CHECKS)
def test_program_runs_on_the_node(
    agent: str,
    checks: Path,
    name: str,
    tmp_path: Path,
) -> None:
    write_headers(tmp_path)
    finished = run(checks, name, agent, tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_program_sees_that_its_worker_was_killed(
    agent: str,
    checks: Path,
    serving: opencl.Node,
) -> None:
    with until_loss(checks, agent) as process:
        os.kill(serving.wait(1)[0], signal.SIGKILL)
        assert process.wait(_LONG) == 0


def test_program_sees_that_its_agent_was_killed(session: Path, checks: Path) -> None:
    with _agent(session) as (agent, path), until_loss(checks, path) as process:
        agent.kill()
        assert process.wait(_LONG) == 0


def _hello(flags: int) -> bytes:
    message = table.MESSAGES["hello"]
    body = message.struct.pack(table.MAGIC, table.VERSION)
    return table.REQUEST.pack(message.number, flags, 1, len(body)) + body


def _first(agent: str, *parts: bytes) -> tuple[int, int]:
    """Of what comes first: how many descriptors, and the first byte."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_LONG)
        one.connect(agent)
        for part in parts:
            one.sendall(part)
            time.sleep(0.1)
        content, descriptors, _, _ = socket.recv_fds(one, 1, 2)
        for descriptor in descriptors:
            os.close(descriptor)
    return len(descriptors), content[0]


def test_rings_are_given_to_whom_they_are_asked_for_by(agent: str) -> None:
    whole = _hello(table.ANSWER | table.RINGS)
    assert _first(agent, whole) == (2, ord("r"))
    # One of another release, or none of ours
    assert _first(agent, _hello(table.ANSWER)) == (0, 1)
    assert _first(agent, whole[:9], whole[9:]) == (0, 1)


def test_agent_serves_on_after_a_program_that_asks_for_rings_and_leaves(
    agent: str, serving: opencl.Node
) -> None:
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(agent)
            one.sendall(_hello(table.ANSWER | table.RINGS))
        serving.wait(0)
    with client.open_session(agent) as session_:
        assert session_.devices.list() == [1]


def test_socket_is_served_until_the_agent_ends(session: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    words = [*_AGENT, "--session", "-", "--socket", str(path)]
    with session.open() as file, subprocess.Popen(words, stdin=file, cwd=opencl.ROOT) as agent:
        wait_until(path.exists, _LONG)
        assert path.stat().st_mode & 0o777 == 0o600
        for _ in range(2):  # one after the other
            with client.open_session(str(path)) as one:
                assert one.devices.list() == [1]
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(_LONG) == 0
    assert not path.exists()


def test_agent_that_is_killed_leaves_no_worker(session: Path, serving: opencl.Node) -> None:
    serving.wait(0)
    with _agent(session) as (agent, path), client.open_session(path) as one:
        (worker,) = serving.wait(1)
        agent.kill()
        with pytest.raises(client.DeviceLost):
            while True:
                one.devices.show(1)
        wait_until(lambda: not opencl.runs(worker), _LONG)
    serving.wait(0)


@pytest.mark.parametrize("text", ["", "{}", '{"session": {}, "token": "x"}', "[]"])
def test_what_is_not_a_session_is_a_failure(text: str, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    file.write_text(text)
    finished = subprocess.run(
        [*_AGENT, "--session", str(file), "true"],
        cwd=opencl.ROOT,
        capture_output=True,
        text=True,
        timeout=_LONG,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr.startswith("Error: no session of OpenCL - ")


def test_status_is_the_program_s(session: Path) -> None:
    words = [*_AGENT, "--session", str(session), "--", "sh", "-c", "exit 7"]
    assert subprocess.run(words, cwd=opencl.ROOT, timeout=_LONG, check=False).returncode == 7


def test_agent_without_descriptors_serves_on(session: Path) -> None:
    with _agent(session, "prlimit", "--nofile=12:12") as (_, path), contextlib.ExitStack() as stack:
        for _ in range(20):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.connect(path)
        time.sleep(0.5)  # it has tried to take them all
        stack.close()
        with client.open_session(path) as one_session:
            assert one_session.devices.list() == [1]
