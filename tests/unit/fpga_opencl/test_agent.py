# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs that reach a node on another machine, through the agent on theirs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fpga_opencl import client
from tests.support import opencl, opencl_afar
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until

pytestmark = pytest.mark.usefixtures("serving")
_LONG = 120  # seconds
_AGENT = [sys.executable, "-m", "fpga_opencl.agent.command"]


@pytest.fixture
def session(cloud: opencl_afar.Cloud, tmp_path: Path) -> Path:
    """What the client prints of a new session."""
    file = tmp_path / "session.json"
    file.write_text(json.dumps(nodes.open_session(cloud.api, memory=1024).json))
    return file


def test_program_runs_on_the_node(session: Path, tmp_path: Path) -> None:
    library = opencl.build(tmp_path / "icd")
    checks = tmp_path / "checks"
    source = str(Path(__file__).with_name("checks.c"))
    subprocess.run(["gcc", "-pthread", "-o", str(checks), source, "-lOpenCL"], check=True)
    finished = subprocess.run(
        [*_AGENT, "--session", str(session), str(checks), "add"],
        cwd=opencl.ROOT,
        env=opencl.environment(library, "/nothing"),
        capture_output=True,
        text=True,
        timeout=_LONG,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")


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


def test_agent_that_is_killed_leaves_no_worker(
    session: Path, serving: opencl.Node, tmp_path: Path
) -> None:
    path = tmp_path / "s"
    words = [*_AGENT, "--session", str(session), "--socket", str(path)]
    serving.wait(0)
    with subprocess.Popen(words, cwd=opencl.ROOT) as agent:
        wait_until(path.exists, _LONG)
        with client.open_session(str(path)) as one:
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
