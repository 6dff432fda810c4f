# SPDX-License-Identifier: Apache-2.0
"""One description of a daemon: how daemons.py runs it, and the unit that systemd gets."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from tests.unit.build_scripts.units import PROGRAMS, render

#: Says that it is ready on its second line, and stays.
DAEMON = """
import os, sys, time
print(os.environ["TITLE"], *sys.argv[1:], flush=True)
print("ready", flush=True)
time.sleep(300)
"""


@pytest.fixture
def description(tmp_path: Path) -> dict[str, typing.Any]:
    """A daemon with words that systemd would expand."""
    (tmp_path / "watched").write_text("before")
    return {
        "name": "stub",
        "command": [sys.executable, "-c", DAEMON, "$HOME %i", 'a "b" \\n'],
        "env": {"TITLE": '100 % "sure"'},
        "watch": [str(tmp_path / "watched")],
        "ready": {"log": "^ready$"},
        "timeout": 30,
        "order": 1,
        "log": str(tmp_path / "stub.log"),
    }


@pytest.mark.skipif(
    shutil.which("start-stop-daemon") is None or os.geteuid() != 0, reason="needs dpkg, and root"
)
class TestDaemons:
    @pytest.fixture
    def run(self, tmp_path: Path) -> typing.Iterator[typing.Callable[..., str]]:
        """daemons.py in a folder of its own; what was started ends with the test."""

        def run(*words: str, data: object = None) -> str:
            command = [sys.executable, PROGRAMS / "daemons.py", tmp_path / "run", *words]
            done = subprocess.run(
                command, input=json.dumps(data), capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()

        yield run
        run("stop")

    def test_daemon_is_started_once_and_again_after_a_change_of_what_it_reads(
        self,
        run: typing.Callable[..., str],
        description: dict[str, typing.Any],
        tmp_path: Path,
    ) -> None:
        assert run("start", "--wait", data=description) == "started"
        assert run("start", "--wait", data=description) == "unchanged"
        for_systemd = description | {"unit": {"Delegate": "yes"}}
        assert run("start", "--wait", data=for_systemd) == "unchanged"
        (tmp_path / "watched").write_text("after")
        assert run("start", "--wait", data=description) == "started"
        lines = (tmp_path / "stub.log").read_text().splitlines()
        assert lines == ['100 % "sure" $HOME %i a "b" \\n', "ready"] * 2

    def test_stopped_daemon_is_gone(
        self, run: typing.Callable[..., str], description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        run("start", "--wait", data=description)
        name, pid = run("status").split()
        assert name == "stub" and Path("/proc", pid).exists()
        run("stop", "stub")
        assert run("status") == ""
        command = Path("/proc", pid, "cmdline")
        assert not command.exists() or command.read_bytes() == b""  # nobody has reaped it yet


class TestReady:
    def test_only_what_was_logged_since_the_start_counts(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        log = tmp_path / "stub.log"
        log.write_text("ready\n")
        (tmp_path / "stub.json").write_text(json.dumps(description))
        (tmp_path / "stub.offset").write_text(f"{log.stat().st_size}\n")
        command = [sys.executable, PROGRAMS / "ready.py", tmp_path / "stub.json"]
        with subprocess.Popen(command) as waiting:
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            with log.open("a") as more:
                more.write("ready\n")
            assert waiting.wait(30) == 0

    def test_daemon_that_is_not_ready_in_time_is_named(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        description |= {"ready": {"socket": str(tmp_path / "none")}, "timeout": 0}
        (tmp_path / "stub.json").write_text(json.dumps(description))
        (tmp_path / "stub.offset").write_text("0\n")
        command = [sys.executable, PROGRAMS / "ready.py", tmp_path / "stub.json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (1, "Error: stub is not ready after 0 s\n")

    def test_daemon_that_has_ended_is_not_waited_for(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        description |= {"ready": {"socket": str(tmp_path / "none")}}
        (tmp_path / "stub.json").write_text(json.dumps(description))
        (tmp_path / "stub.offset").write_text("0\n")
        with subprocess.Popen(["true"]) as ended:
            pass
        command = [sys.executable, PROGRAMS / "ready.py", tmp_path / "stub.json"]
        environment = os.environ | {"MAINPID": str(ended.pid)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
        assert (done.returncode, done.stderr) == (1, "Error: stub has ended\n")


class TestUnit:
    def test_words_reach_the_daemon_as_they_are(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        description["command"] = ["/bin/daemon", "$HOME %i", 'a "b" \\n', "two\nlines"]
        lines = render(tmp_path, description).splitlines()
        assert r'ExecStart="/bin/daemon" "$$HOME %%i" "a \"b\" \\n" "two\nlines"' in lines
        assert r'Environment="TITLE=100 %% \"sure\""' in lines

    def test_description_sets_user_stop_and_more(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        description |= {
            "user": "nova",
            "group": "docker",
            "stop_command": ["sh", "-c", "true"],
            "stop_timeout": 30,
            "unit": {"Delegate": "yes"},
        }
        lines = render(tmp_path, description).splitlines()
        wanted = {"User=nova", "Group=docker", "TimeoutStopSec=30"}
        assert wanted | {"Delegate=yes", "X-Watched=digest"} <= set(lines)

    @pytest.mark.parametrize(("state", "stopped"), [("stopping", True), ("running", False)])
    def test_stop_command_runs_while_the_host_goes_down(
        self, description: dict[str, typing.Any], tmp_path: Path, state: str, stopped: bool
    ) -> None:
        description |= {"stop_command": ["touch", str(tmp_path / "stopped")]}
        lines = render(tmp_path, description).splitlines()
        (line,) = [line for line in lines if line.startswith("ExecStop=-+")]
        words = shlex.split(line.removeprefix("ExecStop=-+").replace("$$", "$"), posix=True)
        systemctl = tmp_path / "bin/systemctl"
        systemctl.parent.mkdir()
        systemctl.write_text(f"#!/bin/sh\necho {state}\nexit 1\n")
        systemctl.chmod(0o755)
        path = {"PATH": f"{systemctl.parent}:{os.defpath}"}
        subprocess.run(words, check=True, env=path)
        assert (tmp_path / "stopped").exists() is stopped

    def test_offset_of_the_log_is_noted_before_the_start(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        (line,) = [
            line for line in render(tmp_path, description).splitlines() if "ExecStartPre" in line
        ]
        script = line.split('-c "')[1].split('" "stub"')[0]
        plain = script.replace("$$", "$").replace("%%", "%").replace('\\"', '"')
        log, offset = tmp_path / "new.log", tmp_path / "offset"
        for content in ("", "12345"):
            log.write_text(content) if content else None
            subprocess.run(["sh", "-c", plain, "stub", log, offset], check=True)
            assert int(offset.read_text()) == len(content)

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
    def test_systemd_finds_no_fault(
        self, description: dict[str, typing.Any], tmp_path: Path
    ) -> None:
        file = tmp_path / "fpga-nova-stub.service"
        for more, faults in (({}, 0), ({"unit": {"KillMode": "some"}}, 1)):
            file.write_text(render(tmp_path, description | more))
            done = subprocess.run(
                ["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60
            )
            assert done.stderr.count(file.name) == faults, done.stderr
