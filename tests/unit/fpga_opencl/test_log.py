# SPDX-License-Identifier: Apache-2.0
"""Clients decide how often workers fail, and not how long the server's log is."""

import pytest

from fpga_opencl.node.log import Log


def test_log_ends_with_a_line_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(3)
    for number in range(10):
        log.say(f"worker {number} ended")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["worker 0 ended", "worker 1 ended", lines[-1]]
    assert "no more" in lines[-1]
