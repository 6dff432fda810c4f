# SPDX-License-Identifier: Apache-2.0
"""Packages of strangers are taken apart by another process, whose report is not trusted either."""

import dataclasses
import io
import json
import pathlib
import tempfile
import typing
import zipfile

import pytest

from fpga_nova.confined import processes, readers
from fpga_regions import errors
from fpga_regions.package import manifest, once, reader, unpacking
from fpga_regions.system import cache
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


class Store:
    """Reads packages through a store, and counts the processes that take one apart."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.processes = folder / "unpacked", 0
        real = readers.read

        def read(*arguments: typing.Any, **more: typing.Any) -> processes.Finished:
            self.processes += 1
            return real(*arguments, **more)

        monkeypatch.setattr(readers, "read", read)

    def read(self, data: bytes, digest: str = "a", **limits: int) -> reader.Package:
        """What a burn reads."""
        changed = dataclasses.replace(LIMITS, **limits)
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            return once.read(file, digest, changed, cache.Cache(self.folder, 1 << 20))


@pytest.fixture
def store(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(tmp_path, monkeypatch)


def test_package_is_taken_apart_once(store: Store) -> None:
    package = reader.read(io.BytesIO(GOOD), LIMITS)
    assert [store.read(GOOD) for _ in range(3)] == [package] * 3
    assert store.processes == 1


@pytest.mark.parametrize("change", [{"digest": "b"}, {"max_ratio": 150}, {"max_size": 4096}])
def test_other_digest_or_limits_take_it_apart_anew(
    store: Store, change: dict[str, typing.Any]
) -> None:
    assert store.read(GOOD) == store.read(GOOD, **change)
    assert store.processes == 2


def test_other_release_of_the_reader_takes_it_apart_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.read(GOOD)
    monkeypatch.setattr(once, "_release", lambda: "another")
    store.read(GOOD)
    assert store.processes == 2


def test_stored_files_that_were_damaged_are_not_used(store: Store) -> None:
    package = store.read(GOOD)
    (stored,) = store.folder.iterdir()
    stored.chmod(0o700)
    stored.write_bytes(stored.read_bytes().replace(b"lzo", b"lzz"))
    assert (store.read(GOOD), store.processes) == (package, 2)


def test_refused_package_is_not_stored(store: Store) -> None:
    for _ in range(2):
        with pytest.raises(errors.BadPackage):
            store.read(b"no zip" * 10)
    assert store.processes == 2
    assert not store.folder.exists()
