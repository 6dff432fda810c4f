# SPDX-License-Identifier: Apache-2.0
"""rootwrap's daemon: a real one, started without sudo."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest
from oslo_config import cfg

from fpga_hooks.program import client, errors, root
from tests.unit.fpga_hooks.conftest import OWNER, Program, status

_START = """
import os, pathlib, sys
from oslo_rootwrap import cmd
with open(pathlib.Path(sys.argv[1]).with_name("pids"), "a") as pids:
    print(os.getpid(), file=pids)
sys.argv[0] = "daemon"
cmd.daemon()
"""


@pytest.fixture
def daemon(program: Program, tmp_path, config, monkeypatch):
    """The daemon's configuration, whose filters permit a status and nothing else."""
    (tmp_path / "filters").mkdir()
    filters = f"status: RegExpFilter, {program.path}, root, {program.path.name}, status, .*, .*"
    (tmp_path / "filters" / "fpga.filters").write_text(f"[Filters]\n{filters}\n")
    conf = tmp_path / "rootwrap.conf"
    conf.write_text(
        f"[DEFAULT]\nfilters_path={tmp_path}/filters\nexec_dirs={tmp_path}\ndaemon_timeout=30\n"
    )
    command = [sys.executable, "-c", _START, str(conf)]
    monkeypatch.setattr(root, "_daemon_command", lambda: command)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setitem(vars(cfg.CONF), "use_rootwrap_daemon", True)
    config(exec="fpga-cli.py")
    root._client.cache_clear()
    yield command
    pids = tmp_path / "pids"
    for pid in pids.read_text().split() if pids.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    # A client that goes away waits for its daemon to end.
    threading.Thread(target=root._client.cache_clear, daemon=True).start()


@pytest.fixture
def by_process(program: Program, monkeypatch) -> None:
    """Stands where sudo and rootwrap would."""
    helper = f"env PATH={program.path.parent}:/bin"
    monkeypatch.setattr("nova.utils.get_root_helper", lambda: helper)


def test_the_status_comes_by_one_daemon_for_all_calls(program: Program, daemon) -> None:
    program.answers(out=status())
    assert [client.status().total for _ in range(3)] == [0, 0, 0]
    assert len(program.calls) == 3
    assert root._client.cache_info().misses == 1


def test_the_daemon_is_started_again_when_it_has_died(program: Program, daemon) -> None:
    program.answers(out=status())
    client.status()
    root._client()._process.kill()
    root._client()._process.wait()
    assert client.status().total == 0


def test_an_exit_status_comes_through_the_daemon(program: Program, daemon) -> None:
    program.answers(err="Error: cannot tell - ledger broken", code=71)
    with pytest.raises(errors.CliError, match="ledger broken") as caught:
        client.status()
    assert caught.value.code == 71


def test_what_the_daemons_filters_do_not_permit_is_asked_by_a_process_instead(
    program: Program, daemon, tmp_path, by_process, caplog
) -> None:
    (tmp_path / "filters" / "fpga.filters").write_text("[Filters]\nls: CommandFilter, ls, root\n")
    program.answers(out=status())
    assert client.status().total == 0
    assert "see that its filters permit the command" in caplog.text


def test_a_program_that_hangs_in_the_daemon_is_given_up_and_the_next_call_works(
    program: Program, daemon, config
) -> None:
    config(timeout=2)
    program.answers(out=status(), first="sleep 120")
    start = time.monotonic()
    with pytest.raises(errors.CliError, match="did not end within 2 s"):
        client.status()
    program.answers(out=status())
    config(timeout=60)
    assert client.status().total == 0
    assert time.monotonic() - start < 60


def test_without_a_daemon_that_starts_a_process_is_asked(
    program: Program, daemon, by_process, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(root, "_daemon_command", lambda: ["/bin/sh", "-c", "echo no >&2; exit 1"])
    program.answers(out=status())
    assert client.status().total == 0
    assert "set use_rootwrap_daemon = False" in caplog.text


def test_what_may_take_long_has_a_process_of_its_own(program: Program, daemon, monkeypatch) -> None:
    monkeypatch.setattr(
        "nova.utils.get_root_helper", lambda: f"env PATH={program.path.parent}:/bin"
    )
    client.erase(OWNER)
    assert program.calls == [f"erase --owner {OWNER}"]
    assert root._client.cache_info().misses == 0


def test_root_needs_no_daemon(program: Program, daemon, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not root._daemon_wanted()
