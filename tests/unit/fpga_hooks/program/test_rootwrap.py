# SPDX-License-Identifier: Apache-2.0
"""What rootwrap lets nova-compute do as root."""

from pathlib import Path

import pytest
from oslo_rootwrap import wrapper

FILTERS = Path(__file__).parents[4] / "etc" / "rootwrap.d"
UUID = "11111111-2222-3333-4444-555555555555"
CONTAINER = "ab" * 32


def _permitted(tmp_path: Path, *command: str) -> bool:
    for name in ("fpga-cli.py", "fpga-live"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    filters = wrapper.load_filters([str(FILTERS)])
    try:
        wrapper.match_filter(filters, list(command), exec_dirs=[str(tmp_path)])
    except wrapper.NoFilterMatched:
        return False
    return True


@pytest.mark.parametrize(
    "command",
    [
        ("fpga-cli.py", "burn", UUID, "--owner", UUID),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--number", "6"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", "emulator0"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", "Card_0.left-a"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--number", "2", "--device", "fake63"),
        ("fpga-cli.py", "erase", "--owner", UUID),
        ("fpga-cli.py", "erase", UUID, "--owner", UUID),
        ("fpga-cli.py", "release", UUID),
        ("fpga-cli.py", "status", "--format", "json"),
        ("fpga-cli.py", "replace", UUID, UUID, "--owner", UUID, "--format", "json"),
        ("fpga-cli.py", "replace", UUID, UUID, "--owner", UUID, "--same-nodes", "--format", "json"),
        ("fpga-cli.py", "hold", "--owner", UUID),
        ("fpga-cli.py", "hold", "--owner", UUID, "--device", "fake0"),
        ("fpga-cli.py", "hold", "--owner", UUID, "--board", "ice40"),
        ("fpga-cli.py", "hold", "--owner", UUID, "--device", "fake0", "--board", "ice40"),
        ("fpga-live", "dump", CONTAINER),
        ("fpga-live", "dump", CONTAINER, "--owner", UUID),
        ("fpga-live", "suspend", CONTAINER, "--owner", UUID),
    ],
)
def test_the_calls_of_the_hooks_are_permitted(tmp_path, command) -> None:
    assert _permitted(tmp_path, *command)


@pytest.mark.parametrize(
    "command",
    [
        ("fpga-cli.py",),
        ("fpga-cli.py", "burn", UUID),
        ("fpga-cli.py", "burn", "../../etc/shadow", "--owner", UUID),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--config-file", "/tmp/x"),
        ("fpga-cli.py", "burn", UUID, "--config-file", UUID),
        ("fpga-cli.py", "--config-file", "/tmp/x", "status"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--number", "0"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--number", "7"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--number", "11"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", "--dry-run"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", "../x"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", "a b"),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--device", ""),
        ("fpga-cli.py", "burn", UUID, "--owner", UUID, "--file", "x"),
        ("fpga-cli.py", "burn", UUID, "--number", "1"),
        ("fpga-cli.py", "burn", UUID, "--device", "emulator0"),
        ("fpga-cli.py", "erase", UUID),
        ("fpga-cli.py", "erase", "x", "--owner", UUID),
        ("fpga-cli.py", "replace", UUID, UUID, "--format", "json"),
        ("fpga-cli.py", "replace", UUID, "--owner", UUID, "--format", "json"),
        ("fpga-cli.py", "replace", UUID, "x", "--owner", UUID, "--format", "json"),
        ("fpga-cli.py", "replace", UUID, UUID, "--owner", UUID, "--file", "x"),
        ("fpga-cli.py", "replace", UUID, UUID, "--owner", UUID, "--format", "json", "--debug"),
        ("fpga-cli.py", "hold"),
        ("fpga-cli.py", "hold", "--owner", "x"),
        ("fpga-cli.py", "hold", "--owner", UUID, "--device", "--board"),
        ("fpga-cli.py", "hold", "--owner", UUID, "--config-file", "x"),
        ("fpga-cli.py", "release", "x"),
        ("fpga-cli.py", "release", UUID, "--debug"),
        ("fpga-cli.py", "quarantine", UUID),
        ("fpga-cli.py", "describe", UUID),
        ("fpga-cli.py", "reconcile", "--fix"),
        ("fpga-cli.py", "erase", "--owner", "x; id"),
        ("fpga-cli.py", "status", "--format", "json", "--debug"),
        ("fpga-cli.py", "disconnect", "--owner", UUID),
        ("fpga-live", "dump", CONTAINER, "--owner", "x"),
        ("fpga-live", "dump", "x", "--owner", UUID),
        ("fpga-live", "sign", CONTAINER, "--owner", UUID),
        ("bash", "burn", UUID, "--owner", UUID),
        ("/tmp/fpga-cli.py2", "burn", UUID, "--owner", UUID),
    ],
)
def test_nothing_else_is(tmp_path, command) -> None:
    assert not _permitted(tmp_path, *command)
