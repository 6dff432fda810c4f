# SPDX-License-Identifier: Apache-2.0
"""Each of our commands tells its version."""

import importlib.metadata
import typing

import pytest

import fpga_manage.command
import fpga_patch.command
from fpga_regions.command import main as command


@pytest.mark.parametrize(
    ("main", "name"),
    [
        (command.main, "fpga-cli.py"),
        (fpga_patch.command.main, "fpga-patch"),
        (fpga_manage.command.main, "fpga-manage"),
    ],
)
def test_version_is_printed(
    main: typing.Callable[[list[str]], int], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exits:
        main(["--version"])
    assert exits.value.code == 0
    assert capsys.readouterr().out == f"{name} {importlib.metadata.version('fpga-nova')}\n"
