# SPDX-License-Identifier: Apache-2.0
"""Folders that end with their process."""

import pathlib
import subprocess
import sys

import pytest

from fpga_nova.confined import folders
from tests.unit.fpga_nova.confined.conftest import ROOT

_KILLED = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from fpga_nova.confined import folders
with folders.fresh(pathlib.Path(sys.argv[2]), "job-") as folder:
    (folder / "file").write_bytes(b"x" * 1000)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def leftover(tmp_path: pathlib.Path) -> pathlib.Path:
    """What a process left that was killed."""
    subprocess.run([sys.executable, "-c", _KILLED, str(ROOT), str(tmp_path)], check=False)
    (found,) = tmp_path.glob("job-*")
    return found


def test_folder_is_private_and_gone_afterwards(tmp_path: pathlib.Path) -> None:
    with folders.fresh(tmp_path, "job-") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_dead_process_is_swept(tmp_path: pathlib.Path, leftover: pathlib.Path) -> None:
    assert folders.sweep(tmp_path, "job-") == [leftover.name]
    assert list(tmp_path.iterdir()) == []


def test_folder_of_a_dead_process_goes_when_another_is_made(
    tmp_path: pathlib.Path, leftover: pathlib.Path
) -> None:
    with folders.fresh(tmp_path, "job-"):
        assert not leftover.exists()


def test_folder_in_use_and_others_stay(tmp_path: pathlib.Path) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "job-file").touch()
    with folders.fresh(tmp_path, "job-") as folder:
        assert folders.sweep(tmp_path, "job-") == []
        assert folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["instance", "job-file"]


def test_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "job-link").symlink_to("target")
    assert folders.sweep(tmp_path, "job-") == []
    assert (tmp_path / "target").exists()
