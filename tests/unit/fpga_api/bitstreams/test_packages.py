# SPDX-License-Identifier: Apache-2.0
"""A package is taken in time and in room, or not at all."""

import io
import time
import typing
from pathlib import Path

import pytest

from fpga_api import errors
from fpga_api.bitstreams import packages
from tests.support import api as support
from tests.support import bitstreams

PACKAGE = bitstreams.package()


def _chunks(size: int = 100) -> typing.Iterator[bytes]:
    return iter([PACKAGE[start : start + size] for start in range(0, len(PACKAGE), size)])


def test_package_is_read_and_its_file_is_gone(tmp_path: Path) -> None:
    conf = support.configuration(fpga_api={"upload_folder": str(tmp_path)})
    with packages.checked(conf, _chunks()) as package:
        assert package.file.read() == PACKAGE
        assert package.manifest["function"] == bitstreams.fields()["function"]
        assert package.digest.startswith("sha256:")
    assert package.file.closed
    assert list(tmp_path.iterdir()) == []


def test_body_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("fpga_nova.deadline.time.monotonic", lambda: now)

    def slow() -> typing.Iterator[bytes]:
        nonlocal now
        for chunk in _chunks():
            now += 100
            yield chunk

    with (
        pytest.raises(errors.TooSlow, match="within 600 seconds"),
        packages.checked(support.configuration(), slow()),
    ):
        pass


def test_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    conf = support.configuration(fpga_api={"upload_folder": str(tmp_path / "none")})
    with pytest.raises(errors.ReaderUnavailable), packages.checked(conf, _chunks()):
        pass


def test_reader_that_does_not_come_to_its_end_says_nothing_of_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fpga_nova.confined.readers.sys.executable", "/nowhere/python")
    with pytest.raises(errors.ReaderUnavailable):
        packages.check(support.configuration(), io.BytesIO(PACKAGE))
