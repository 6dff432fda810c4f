# SPDX-License-Identifier: Apache-2.0
"""Progress of a transfer: shown to a person, and to nobody else."""

import io

import pytest

from fpga_regions.system import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def text_of(stream: io.StringIO, size: int) -> str:
    with progress.Progress("fetching it", size, stream) as meter:
        meter.at(512 * 1024)
    return stream.getvalue()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET", 0)


@pytest.mark.usefixtures("at_once")
def test_terminal_gets_lines_and_is_left_clean() -> None:
    text = text_of(Terminal(), 1024 * 1024)
    assert "fetching it: 0.5 of 1.0 MiB (50 %)" in text
    assert text.endswith("\r\x1b[K")


@pytest.mark.usefixtures("at_once")
def test_unknown_size_is_left_out() -> None:
    assert "fetching it: 0.5 MiB" in text_of(Terminal(), 0)


@pytest.mark.usefixtures("at_once")
def test_pipe_gets_nothing() -> None:
    assert text_of(io.StringIO(), 1024 * 1024) == ""


def test_short_transfer_is_not_worth_a_line() -> None:
    assert text_of(Terminal(), 1024 * 1024) == ""
