# SPDX-License-Identifier: Apache-2.0
"""What a tool can do, and what it cannot; the tools here are shell scripts that try."""

import os
import pathlib
import tracemalloc

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed
from tests.support.host import wait_until
from tests.unit.fpga_regions.emulator.conftest import UID

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")


def run(box: Sandbox, script: str, result: str | None = None, seconds: float = 10) -> str:
    """What a shell script prints, or what it leaves in a file."""
    return box.make({}, [["sh", "-c", script]], result, Deadline(seconds)).decode()


def test_tool_makes_a_file_of_its_input(box: Sandbox) -> None:
    output = box.make({"in": b"one\n"}, [["cp", "in", "out"]], "out", Deadline(10))
    assert output == b"one\n"


def test_commands_follow_each_other_in_one_folder(box: Sandbox) -> None:
    commands = [["cp", "in", "between"], ["cp", "between", "out"]]
    assert box.make({"in": b"x"}, commands, "out", Deadline(10)) == b"x"


def test_tool_has_a_user_of_no_rights(box: Sandbox) -> None:
    assert run(box, "id -u; id -g; id -G").split() == [str(UID)] * 3
    words = run(box, "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status").split()
    assert words == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


def test_tool_has_no_network(box: Sandbox) -> None:
    assert len(run(box, "cat /proc/net/dev").splitlines()) == 3  # two of heading, and lo


def test_tool_does_not_see_the_environment(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    assert "secret" not in run(box, "env")


def test_tool_cannot_leave_its_folder_by_path(box: Sandbox) -> None:
    with pytest.raises(ToolFailed, match="denied"):
        run(box, f"ls {box.parent}")


def test_folder_is_gone_afterwards_whatever_happened(box: Sandbox) -> None:
    run(box, "touch a")
    with pytest.raises(ToolFailed):
        run(box, "touch a; false")
    assert list(box.parent.iterdir()) == []


def test_folder_of_a_process_that_died_is_removed_by_the_next_one(box: Sandbox) -> None:
    run(box, "true")
    (box.parent / "left").mkdir()
    (box.parent / "left" / "file").touch()
    run(box, "true")
    assert list(box.parent.iterdir()) == []


def test_folder_that_is_in_use_is_left_alone(box: Sandbox) -> None:
    inner = []

    class Nested(Sandbox):
        def _run(self, folder: pathlib.Path, *arguments: object) -> None:
            inner.append(run(box, "echo inner"))
            assert folder.exists()
            (folder / "output").touch()

    Nested(box.parent, UID).make({}, [["true"]], None, Deadline(10))
    assert inner == ["inner\n"]


def test_failure_reports_the_last_words_of_the_tool(box: Sandbox) -> None:
    with pytest.raises(ToolFailed, match="sh: no such thing"):
        run(box, "echo no such thing >&2; exit 3")


def test_failure_of_a_tool_that_prints_much_takes_no_more_memory_than_that(box: Sandbox) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ToolFailed, match=r"y y last$"):
            run(box, "yes | head -c 8000000; echo last; exit 3")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_tool_that_is_not_installed_is_reported(box: Sandbox) -> None:
    with pytest.raises(errors.ProgrammingFailed, match="nosuchtool is not installed"):
        box.make({}, [["nosuchtool"]], None, Deadline(10))


def test_tool_that_takes_too_long_ends_with_all_that_it_started(box: Sandbox) -> None:
    # Its user's number names its processes: nothing else runs as it.
    with pytest.raises(errors.TimedOut, match=r"sh took longer than 0\.5 s"):
        run(box, "sleep 60 & setsid sleep 60 & wait", seconds=0.5)
    wait_until(lambda: _processes_of(UID) == [])


def test_file_over_the_limit_is_not_taken(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ToolFailed):
        run(Sandbox(tmp_path / "work", UID, max_file=1000), "head -c 2000 /dev/zero > big", "big")


def test_memory_over_the_limit_is_not_given(tmp_path: pathlib.Path) -> None:
    box = Sandbox(tmp_path / "work", UID, max_memory=64 << 20)
    with pytest.raises(ToolFailed):
        run(box, "dd if=/dev/zero of=/dev/null bs=128M count=1")


@pytest.mark.parametrize("script", ["ln -s /etc/shadow out", "mkfifo out", "mkdir out", "true"])
def test_result_that_is_no_plain_file_is_not_taken(box: Sandbox, script: str) -> None:
    with pytest.raises(ToolFailed, match="no usable out"):
        run(box, script, "out")


def _processes_of(uid: int) -> list[str]:
    found = []
    for status in pathlib.Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nUid:\t{uid}\t" in text and "\nState:\tZ" not in text:
            found.append(status.parent.name)
    return found
