# SPDX-License-Identifier: Apache-2.0
"""Options of the node server: a limit that the kernel takes for none is refused."""

import pytest

from fpga_opencl.node import command


@pytest.mark.parametrize(
    "words",
    [
        ["--memory", "0"],
        ["--memory", "-1"],
        ["--memory", "nan"],
        ["--memory", "inf"],
        ["--cpu-percent", "0"],
        ["--cpu-percent", "-1"],
        ["--cpu-seconds", "0"],
        ["--processes", "-1"],
        ["--sessions", "0"],
        ["--sessions", "513"],
        ["--first-uid", "0"],
        ["--first-uid", "-1"],
        ["--first-uid", "1000"],
        # The kernel takes the last one for no user, and the worker stays root's.
        ["--first-uid", "4294967295"],
        ["--first-uid", "4294967290"],
    ],
    ids=" ".join,
)
def test_option_that_would_limit_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--socket", "/nonexistent/socket", *words])
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err
