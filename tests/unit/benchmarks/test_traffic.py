# SPDX-License-Identifier: Apache-2.0
"""The benchmark of traffic: which command runs where, and what it makes of the answers."""

import subprocess
import sys
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "benchmarks/traffic.py"

#: iperf3 and a program that runs commands elsewhere; both note how they were called. A client gets
#: as many Mbit/s as the last byte of the address.
IPERF = """#!/bin/sh
echo "iperf3 $*" >> "$NOTES"
case $1 in
--server) echo Server listening on 5201; exec sleep 1 ;;
esac
case $2 in *.0) echo '{"error": "unreachable"}'; exit 1 ;; esac
echo "{\\"end\\": {\\"sum_received\\": {\\"bits_per_second\\": ${2##*.}000000}}}"
"""
ELSEWHERE = """#!/bin/sh
echo "on $1" >> "$NOTES"
shift
exec "$@"
"""


@pytest.fixture
def measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> typing.Callable[..., "subprocess.CompletedProcess[str]"]:
    for name, text in {"iperf3": IPERF, "elsewhere": ELSEWHERE}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(PROGRAM), "-n", "2", "--seconds", "3", *words]
        return subprocess.run(command, capture_output=True, text=True)

    return run


def test_places_take_turns_and_are_compared_with_the_first(measure, tmp_path: Path) -> None:
    first = ("--between", "bare", "elsewhere a", "elsewhere b", "192.0.2.200")
    second = ("--between", "ours", "", "elsewhere c", "192.0.2.190")
    output = measure(*first, *second).stdout
    assert "TCP, bare  min 200  Mbit/s 200  max 200  ratio 1.0" in output
    assert "TCP, ours  min 190  Mbit/s 190  max 190  ratio 0.95" in output
    notes = (tmp_path / "notes").read_text().splitlines()
    assert [note for note in notes if note.startswith("on")] == ["on a", "on b", "on c"] * 2
    assert notes.count("iperf3 --client 192.0.2.190 --time 3 --json") == 2


def test_failure_of_the_client_is_reported(measure) -> None:
    done = measure("--between", "bare", "", "", "192.0.2.0")
    assert done.returncode == 1
    assert 'Error: iperf3 failed - {"error": "unreachable"}' in done.stderr


def test_place_where_nothing_serves_is_reported(measure) -> None:
    done = measure("--between", "bare", "false", "", "192.0.2.1")
    assert done.returncode == 1
    assert "Error: iperf3 does not serve - false iperf3 --server" in done.stderr
