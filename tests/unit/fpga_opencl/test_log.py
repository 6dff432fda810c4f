# SPDX-License-Identifier: Apache-2.0
"""A client that fails again and again neither fills the log of a server nor silences it."""

import time

import pytest

from fpga_opencl.node import log as logs


def test_log_ends_before_it_fills_a_disk_and_goes_on_later(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    log = logs.Log(3)
    for number in range(10):
        log.say(f"line {number}")
    assert capsys.readouterr().err.splitlines() == ["line 0", "line 1", "line 2"]
    now += logs.PAUSE
    log.say("later")
    log.say("too soon")
    assert capsys.readouterr().err == "later (7 lines before it were left out)\n"
    now += 100 * logs.PAUSE
    for number in range(10):
        log.say(f"line {number}")
    assert len(capsys.readouterr().err.splitlines()) == 3
