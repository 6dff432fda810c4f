# SPDX-License-Identifier: Apache-2.0
"""Packages of strangers are taken apart by another process, whose report is not trusted either."""

import io
import json
import pathlib
import tempfile
import typing
import zipfile

import pytest

from fpga_nova.confined import processes
from fpga_regions import errors
from fpga_regions.package import manifest, reader, unpacking
from tests.support import bitstreams

LIMITS = reader.Limits(
    max_size=1 << 20,
    max_entries=8,
    max_unpacked_size=1 << 20,
    max_bitfile_size=1 << 19,
    max_manifest_size=4096,
    max_ratio=200,
)
GOOD = bitstreams.package()


def confined(data: bytes, folder: pathlib.Path) -> reader.Package:
    path = folder / "package"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.read()  # its position does not matter
        return reader.read_confined(file, LIMITS)


def test_package_is_the_same_whoever_takes_it_apart(tmp_path: pathlib.Path) -> None:
    assert confined(GOOD, tmp_path) == reader.read(io.BytesIO(GOOD), LIMITS)


def test_nothing_is_taken_apart_in_this_process(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert confined(GOOD, tmp_path).manifest.function


def _bomb() -> bytes:
    return bitstreams.archive(
        (zipfile.ZipInfo(manifest.FILE), b" " * (1 << 19)),
        (zipfile.ZipInfo("core.json"), bytes(1 << 19)),
    )


def _package_of(text: bytes) -> bytes:
    return bitstreams.archive((zipfile.ZipInfo(manifest.FILE), text))


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"no zip" * 100, GOOD[:-30], GOOD + b"x", bytes(2 << 20), _bomb()),
        *(_package_of(b"[" * 4000), _package_of("{}".encode("utf-16")), _package_of(b"{}")),
    ],
    ids=["empty", "text", "cut", "more", "large", "bomb", "deep", "utf-16", "object"],
)
def test_package_is_refused_for_the_same_reason(tmp_path: pathlib.Path, data: bytes) -> None:
    with pytest.raises(errors.BadPackage) as here:
        reader.read(io.BytesIO(data), LIMITS)
    with pytest.raises(errors.BadPackage) as there:
        confined(data, tmp_path)
    assert there.value.why == here.value.why


def _reports(monkeypatch: pytest.MonkeyPatch, output: str, status: int = 0) -> None:
    finished = processes.Finished("reader", status, output, "words")
    monkeypatch.setattr("fpga_nova.confined.readers.read", lambda *_, **__: finished)


@pytest.mark.parametrize(("output", "status"), [("", 0), ("{}", 1), ("", -9)])
def test_reader_that_does_not_come_to_its_end_says_nothing_of_the_package(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, output: str, status: int
) -> None:
    _reports(monkeypatch, output, status)
    with pytest.raises(errors.ImageServiceUnavailable, match="cannot be read on this host"):
        confined(GOOD, tmp_path)


def test_host_without_temporary_files_says_nothing_of_the_package(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(errors.ImageServiceUnavailable, match="No such file or directory"):
        confined(GOOD, tmp_path)


def test_manifest_and_digest_are_checked_here_whatever_the_reader_says(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = unpacking.unpack(io.BytesIO(GOOD), LIMITS)

    def read(*arguments: typing.Any, **_: object) -> processes.Finished:
        (target,) = arguments[5]
        with open(target, "wb", closefd=False) as file:
            file.write(files.manifest_text + b"other")
        sizes = {"sizes": [len(files.manifest_text), 5, None]}
        return processes.Finished("reader", 0, json.dumps(sizes), "")

    monkeypatch.setattr("fpga_nova.confined.readers.read", read)
    with pytest.raises(errors.BadPackage, match="does not have the digest of its manifest"):
        confined(GOOD, tmp_path)
