# SPDX-License-Identifier: Apache-2.0
"""A file is the old or the new, and never open to others than it is meant for."""

import os
import stat
from pathlib import Path

import pytest

from fpga_nova import durable


def test_file_is_on_disk_before_it_has_its_name_and_so_is_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, synced = tmp_path / "file", []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink(), file.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    durable.write(file, b"new")
    assert synced == [(tmp_path / "file.new", False), (tmp_path, True)]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_mode_is_as_wanted_from_the_first_byte_on(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
    )
    before = os.umask(umask)
    try:
        durable.write(tmp_path / "file", b"secret", 0o600)
        durable.write(tmp_path / "usual", b"")
    finally:
        os.umask(before)
    assert modes[0] == 0o600
    assert stat.S_IMODE((tmp_path / "usual").stat().st_mode) == 0o666 & ~umask


def test_what_was_begun_before_is_not_opened_again(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (tmp_path / "file.new").symlink_to(elsewhere)
    durable.write(tmp_path / "file", b"new")
    assert elsewhere.read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"


def test_failure_leaves_the_old_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.write(tmp_path / "file", b"old")

    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        durable.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
