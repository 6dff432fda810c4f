# SPDX-License-Identifier: Apache-2.0
"""How long a local host is waited for; its systemd is a list of answers."""

import pathlib
import typing

import pytest
from local_hosts import model, operations
from local_hosts.operations import LocalHosts

HOST = model.Host(1, "controller", "10.77.0.11", "bookworm")
SITE = model.Site(model.network(model.SUBNET), hosts=(HOST,))


class Systemd:
    """Answers what systemd is asked.

    :param states: of the whole system, in turn; the last one stays
    :param is_reached: sshd runs
    """

    def __init__(self, *states: str, is_reached: bool = False) -> None:
        self.states, self.is_reached = list(states), is_reached

    def run(self, _host: model.Host, *command: str) -> tuple[int, bytes, bytes]:
        if "is-active" in command:
            return (0 if self.is_reached else 3), b"", b""
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return 0, f"{state}\n".encode(), b""


def wait(systemd: Systemd, folder: pathlib.Path) -> list[str]:
    """Wait for the host; what the user is told."""
    lines = list[str]()
    hosts = LocalHosts(folder, folder, lines.append)
    hosts._wait(typing.cast(typing.Any, systemd), SITE, HOST)
    return lines


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_POLL", 0)


@pytest.mark.parametrize("state", ["running", "degraded"])
def test_host_is_up_once_its_units_have_started(state: str, tmp_path: pathlib.Path) -> None:
    assert wait(Systemd("", "initializing", "starting", state), tmp_path) == []


def test_host_whose_units_take_long_is_up_if_it_is_reached(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_PATIENCE", -1)
    lines = wait(Systemd("starting", is_reached=True), tmp_path)
    assert lines == ["controller: reached, and still starts units"]


@pytest.mark.parametrize(
    ("state", "is_reached"), [("starting", False), ("maintenance", True), ("", False)]
)
def test_host_that_does_not_come_up_is_a_fault(
    state: str, is_reached: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_PATIENCE", -1)
    with pytest.raises(model.LocalHostsError, match=f"controller is {state or 'not up'} after"):
        wait(Systemd(state, is_reached=is_reached), tmp_path)
