# SPDX-License-Identifier: Apache-2.0
"""What a reader in Python can do while it reads."""

import json
import os
import pathlib
import typing

import pytest

from fpga_nova.confined import confinement, processes, readers
from fpga_nova.deadline import Deadline

MODULE = "tests.unit.fpga_nova.confined.nosy"
BOX = confinement.Confinement(1 << 29, 1 << 20, files=16)


def look(
    tmp_path: pathlib.Path, keep: typing.Sequence[int] = (), seconds: float = 20, *arguments: str
) -> dict[str, typing.Any]:
    """What the reader tells of itself."""
    (tmp_path / "input").write_bytes(b"strange")
    with (tmp_path / "input").open("rb") as file:
        finished = readers.read(MODULE, arguments, BOX, Deadline(seconds), file, keep)
    assert finished.status == 0, finished
    return typing.cast(dict[str, typing.Any], json.loads(finished.output))


def test_it_reads_the_file_that_it_was_given(tmp_path: pathlib.Path) -> None:
    report = look(tmp_path, [], 20, "one", "two words")
    assert (report["input"], report["arguments"]) == ("strange", ["one", "two words"])


def test_it_is_nobody_and_gains_nothing(tmp_path: pathlib.Path) -> None:
    report = look(tmp_path)
    if os.geteuid() == 0:
        assert (report["user"], report["groups"]) == ([confinement.NOBODY] * 3, [])
    assert report["capabilities"] == "0" * 16
    assert report["no_new_privs"] == "1"


def test_it_starts_no_other_process_and_no_thread(tmp_path: pathlib.Path) -> None:
    report = look(tmp_path)
    assert (report["fork"], report["thread"]) == ("refused", "refused")


def test_it_opens_no_file_and_no_socket_such_as_the_engine_s(tmp_path: pathlib.Path) -> None:
    # An ordinary user's reader stays that user, who may be in the group docker.
    report = look(tmp_path)
    assert (report["file"], report["socket"]) == ("refused", "refused")


def test_it_has_no_network_and_sees_no_environment(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "secret")
    report = look(tmp_path)
    assert report["network"] == ["lo"]
    assert "OS_PASSWORD" not in report["environment"]


def test_it_has_the_descriptors_that_it_was_given_and_no_others(tmp_path: pathlib.Path) -> None:
    with (tmp_path / "given").open("wb") as inherited, (tmp_path / "other").open("wb") as other:
        os.set_inheritable(other.fileno(), True)
        report = look(tmp_path, [inherited.fileno()])
        assert report["descriptors"] == [0, 1, 2, inherited.fileno()]


def test_it_is_ended_at_the_deadline(tmp_path: pathlib.Path) -> None:
    with pytest.raises(processes.TooLong):
        look(tmp_path, [], 1, "sleep")


def test_module_that_is_not_there_is_reported(tmp_path: pathlib.Path) -> None:
    (tmp_path / "input").touch()
    with (tmp_path / "input").open("rb") as file:
        finished = readers.read("fpga_nova.nothing", [], BOX, Deadline(20), file)
    assert "No module named 'fpga_nova.nothing'" in finished.complaint
