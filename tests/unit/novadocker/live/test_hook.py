# SPDX-License-Identifier: Apache-2.0
"""How root has a clone's hook run, with a program that answers as runc does."""

import os
import pathlib

import pytest

from novadocker.live import errors, hook
from tests.unit.novadocker.live.conftest import ID, Host

#: What runc 1.1 logs of a program that is not there.
_MISSING = (
    'exec failed: unable to start container process: exec: \\"/etc/fpga-nova/clone-hook\\": '
    "stat /etc/fpga-nova/clone-hook: no such file or directory"
)


def _runc(host: Host, text: str) -> None:
    """A runc that notes what it was asked for, and then does something; $LOG is its log."""
    host.settings.runc.write_text(
        f"#!/bin/sh\n[ $3 != state ] || {{ echo '{{\"pid\": {os.getpid()}}}'; exit 0; }}\n"
        f'echo "$@" >> {host.bundle.parent}/asked\nLOG=$4\nPID=$9\n{text}\n'
    )


def test_it_runs_in_the_container_with_all_that_the_container_has(host: Host) -> None:
    _runc(host, "exit 0")
    assert hook.run(host.settings, ID)[:2] == (True, 0)
    (words,) = host.asked
    assert words.endswith(f"/pid {ID} /etc/fpga-nova/clone-hook")
    # None gives it another user, other capabilities or another cgroup.
    options = [word for word in words.split() if word.startswith("-")]
    assert options == ["--root", "--log", "--cwd", "--pid-file"]


def test_a_clone_need_not_have_one(host: Host) -> None:
    _runc(host, f'printf \'level=error msg="{_MISSING}"\' > "$LOG"; exit 255')
    assert hook.run(host.settings, ID)[:2] == (False, None)


def test_its_status_is_reported(host: Host) -> None:
    _runc(host, "exit 255")
    assert hook.run(host.settings, ID)[:2] == (True, 255)


def test_one_that_runc_does_not_run_is_an_error(host: Host) -> None:
    _runc(host, 'echo "exec failed: permission denied" > "$LOG"; exit 255')
    with pytest.raises(errors.LiveError, match="permission denied"):
        hook.run(host.settings, ID)


def test_one_that_does_not_end_is_ended(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "LIMIT", 0.5)
    monkeypatch.setattr(hook, "_GRACE", 0.5)
    _runc(host, "exec sleep 60")
    assert hook.run(host.settings, ID)[:2] == (True, None)


def test_nothing_stays_with_root(host: Host) -> None:
    _runc(host, 'echo 1 > "$PID"; exit 0')
    hook.run(host.settings, ID)
    assert list(host.settings.work.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../x", "--help", "a" * 63, "g" * 64])
def test_only_a_container_has_one(host: Host, name: str) -> None:
    with pytest.raises(errors.LiveError, match="not the id of a container"):
        hook.run(host.settings, name)
    assert host.asked == []
    assert not pathlib.Path(host.settings.work).exists()
