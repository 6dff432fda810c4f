# SPDX-License-Identifier: Apache-2.0
"""rootwrap's daemon: a real one, started without sudo."""

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import sys
import threading
import time

import pytest
from oslo_config import cfg

from fpga_hooks.program import client, errors, root
from tests.support.host import wait_until
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, Program, status

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
    """The daemon's configuration, whose filters permit some of the verbs."""
    (tmp_path / "filters").mkdir()
    head = f"RegExpFilter, {program.path}, root, {program.path.name}"
    filters = [f"{verb}: {head}, {verb}, .*, .*" for verb in ("status", "erase")]
    filters.append(f"burn: {head}, burn, .*, .*, .*")
    (tmp_path / "filters" / "fpga.filters").write_text("\n".join(["[Filters]", *filters, ""]))
    conf = tmp_path / "rootwrap.conf"
    conf.write_text(
        f"[DEFAULT]\nfilters_path={tmp_path}/filters\nexec_dirs={tmp_path}\ndaemon_timeout=30\n"
    )
    command = [sys.executable, "-c", _START, str(conf)]
    monkeypatch.setattr(root, "_daemon_command", lambda: command)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setitem(vars(cfg.CONF), "use_rootwrap_daemon", True)
    config(exec="fpga-cli.py")
    monkeypatch.setattr(root, "daemons", root.Daemons(patience=0.2))
    yield command
    for pid in pids(tmp_path) if (tmp_path / "pids").exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def by_process(program: Program, monkeypatch) -> None:
    """Stands where sudo and rootwrap would."""
    helper = f"env PATH={program.path.parent}:/bin"
    monkeypatch.setattr("nova.utils.get_root_helper", lambda: helper)


def pids(folder: pathlib.Path) -> list[int]:
    """The daemons that were started."""
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def test_all_calls_come_by_one_daemon(program: Program, daemon, tmp_path) -> None:
    program.answers(out=status())
    assert [client.status().total for _ in range(3)] == [0, 0, 0]
    program.answers(out=f"{REGION}\n")
    assert client.burn(IMAGE, OWNER) == REGION
    client.erase(OWNER)
    assert len(program.calls) == 5
    assert len(pids(tmp_path)) == 1


def test_calls_that_last_let_no_other_wait(
    program: Program, daemon, tmp_path, by_process, monkeypatch
) -> None:
    program.answers(out=f"{REGION}\n", first="sleep 30")
    burns = [
        threading.Thread(target=client.burn, args=(IMAGE, OWNER), daemon=True) for _ in range(2)
    ]
    for burn in burns:
        burn.start()
    wait_until(lambda: len(program.calls) == 2, 30)
    program.answers(out=status())
    start = time.monotonic()
    assert client.status().total == 0
    assert time.monotonic() - start < 20
    assert len(pids(tmp_path)) == 2


def test_short_calls_wait_their_turn(program: Program, daemon, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(root, "daemons", root.Daemons(patience=2))
    program.answers(out=f"{REGION}\n", first="sleep 0.7")
    monkeypatch.setattr(root, "_by_process", lambda *_: pytest.fail("it has a process of its own"))
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert set(pool.map(lambda _: client.burn(IMAGE, OWNER), range(10))) == {REGION}
    assert len(pids(tmp_path)) == 2


def test_the_daemon_is_started_again_when_it_has_died(program: Program, daemon, tmp_path) -> None:
    program.answers(out=status())
    client.status()
    (pid,) = pids(tmp_path)
    os.kill(pid, signal.SIGKILL)
    assert client.status().total == 0
    assert len(pids(tmp_path)) == 2


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


def test_root_needs_no_daemon(program: Program, daemon, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not root._daemon_wanted()
