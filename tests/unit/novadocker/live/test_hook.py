# SPDX-License-Identifier: Apache-2.0
"""How root has a clone's hook run, with a program that answers as runc does."""

import json
import os
import pathlib
import subprocess
import typing

import pytest

from novadocker.live import containers, errors, hook
from tests.unit.novadocker.live.conftest import ID, Host

#: What runc 1.1 logs of a program that is not there, and of one whose interpreter is not.
_MISSING = (
    'exec failed: unable to start container process: exec: "/etc/fpga-nova/clone-hook": '
    "stat /etc/fpga-nova/clone-hook"
)
_NO_INTERPRETER = (
    "exec failed: unable to start container process: "
    "exec /etc/fpga-nova/clone-hook: no such file or directory"
)
#: runc starts the hook, which ends well.
_DONE = 'echo 1 > "$PID"; exit 0'


def _runc(host: Host, text: str, first: int | None = None, status: str = "running") -> None:
    """A runc that notes what it was asked for, and then does something.

    :param text: $ROOT is where its record is, $LOG its log, $PID the number of what it starts
    :param first: the first process of the container; None: this one
    """
    first = os.getpid() if first is None else first
    state = json.dumps({"pid": first, "status": status})
    host.settings.runc.write_text(
        f"#!/bin/sh\nROOT=$2 LOG=$4 PID=$9\n[ $3 != state ] || {{ echo '{state}'; exit 0; }}\n"
        f'[ "$5" = exec ] || exit 1\necho "$@" >> {host.bundle.parent}/asked\n{text}\n'
    )
    record = host.settings.runc_root / ID / "state.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    start = containers.start_time(first) if first else 0
    record.write_text(json.dumps({"init_process_start": start, "id": ID}))


@pytest.fixture
def one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without namespaces of time."""
    monkeypatch.setattr(containers, "time_of", lambda process: None)


@pytest.fixture
def first() -> typing.Iterator[int]:
    """A process that has another time than this one, as a clone has; its number."""
    words = ["unshare", "--time", "--boottime=5000", "--kill-child"]
    words += ["sh", "-c", "echo $$ && exec sleep 60"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        number = process.stdout.readline()  # type: ignore[union-attr]
        if not number:
            pytest.skip("this host lets nobody have a time of their own")
        yield int(number)
        process.kill()


@pytest.mark.usefixtures("one_time")
def test_it_runs_in_the_container_with_all_that_the_container_has(host: Host) -> None:
    _runc(host, _DONE)
    assert hook.run(host.settings, ID)[:2] == (True, 0)
    (words,) = host.asked
    assert words.endswith(f"/pid {ID} /etc/fpga-nova/clone-hook")
    # None gives it another user, other capabilities or another cgroup.
    options = [word for word in words.split() if word.startswith("-")]
    assert options == ["--root", "--log", "--cwd", "--pid-file"]


def test_it_has_the_time_of_the_container_and_runc_takes_it_for_the_same(
    host: Host, first: int
) -> None:
    seen = f"cat /proc/{first}/stat > {host.bundle}/stat; cp $ROOT/{ID}/state.json {host.bundle}"
    _runc(host, f"{seen}; {_DONE}", first)
    assert hook.run(host.settings, ID)[:2] == (True, 0)
    seen = (host.bundle / "stat").read_text().split()[21]
    assert int(seen) == containers.start_time(first) + 5000 * os.sysconf("SC_CLK_TCK")
    record = json.loads((host.bundle / "state.json").read_text())
    assert record == {"init_process_start": int(seen), "id": ID}
    assert list(host.settings.work.iterdir()) == []


def test_it_does_not_run_where_another_process_has_the_number(host: Host, first: int) -> None:
    _runc(host, _DONE, first)
    record = host.settings.runc_root / ID / "state.json"
    record.write_text(json.dumps({"init_process_start": 1}))
    with pytest.raises(errors.LiveError, match="the container has ended"):
        hook.run(host.settings, ID)
    assert host.asked == []


def test_it_does_not_run_without_a_record_of_the_container(host: Host, first: int) -> None:
    _runc(host, _DONE, first)
    (host.settings.runc_root / ID / "state.json").write_text("{}")
    with pytest.raises(errors.LiveError, match="runc's record of the container cannot be read"):
        hook.run(host.settings, ID)


def test_a_clone_that_has_ended_needs_none(host: Host) -> None:
    _runc(host, _DONE, first=0, status="stopped")
    assert hook.run(host.settings, ID)[:2] == (False, None)
    assert host.asked == []


@pytest.mark.usefixtures("one_time")
@pytest.mark.parametrize("why", ["no such file or directory", "not a directory"])
def test_a_clone_need_not_have_one(host: Host, why: str) -> None:
    _runc(host, f"echo '{_MISSING}: {why}' > \"$LOG\"; exit 255")
    assert hook.run(host.settings, ID)[:2] == (False, None)


@pytest.mark.usefixtures("one_time")
@pytest.mark.parametrize("status", [3, 255])
def test_its_status_is_reported(host: Host, status: int) -> None:
    _runc(host, f'echo 1 > "$PID"; exit {status}')
    assert hook.run(host.settings, ID)[:2] == (True, status)


@pytest.mark.usefixtures("one_time")
def test_one_that_cannot_be_executed_is_reported_with_the_reason(host: Host) -> None:
    _runc(host, f"echo '{_NO_INTERPRETER}' > \"$LOG\"; exit 255")
    found = hook.run(host.settings, ID)
    assert (found.found, found.status) == (True, 126)
    assert "exec /etc/fpga-nova/clone-hook: no such file" in found.reason


@pytest.mark.usefixtures("one_time")
@pytest.mark.parametrize("said", ["exec failed: cannot exec in a stopped container", ""])
def test_one_that_runc_does_not_run_is_an_error(host: Host, said: str) -> None:
    _runc(host, f"echo '{said}' > \"$LOG\"; exit 1")
    with pytest.raises(errors.LiveError, match=rf"runc does not run .*\(exit 1\): {said}"):
        hook.run(host.settings, ID)


@pytest.mark.usefixtures("one_time")
def test_one_that_does_not_end_is_ended(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "LIMIT", 0.5)
    monkeypatch.setattr(hook, "_GRACE", 0.5)
    _runc(host, 'echo $$ > "$PID"; exec sleep 60')
    assert hook.run(host.settings, ID)[:2] == (True, None)


@pytest.mark.usefixtures("one_time")
def test_nothing_stays_with_root(host: Host) -> None:
    _runc(host, _DONE)
    hook.run(host.settings, ID)
    assert list(host.settings.work.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../x", "--help", "a" * 63, "g" * 64])
def test_only_a_container_has_one(host: Host, name: str) -> None:
    with pytest.raises(errors.LiveError, match="not the id of a container"):
        hook.run(host.settings, name)
    assert host.asked == []
    assert not pathlib.Path(host.settings.work).exists()
