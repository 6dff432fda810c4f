# SPDX-License-Identifier: Apache-2.0
"""Hostile archives end in bounded time, memory and disk, and say nothing wrong of the image."""

import errno
import gzip
import json
import tempfile
import time
import typing

import pytest

from fpga_nova.container_image.limits import Limits, Refused
from fpga_nova.container_image.reading import NotRead
from tests.support import container_images as archives
from tests.support.container_images import Image
from tests.unit.fpga_nova.container_image.conftest import LIMITS, Confined, layers, members

LAYER = archives.tar({"file": b"x" * 3000})
GOOD = archives.tar(archives.docker_members(Image((LAYER,), packer="gzip")))
_SECONDS = 20


@pytest.fixture(autouse=True)
def soon() -> typing.Iterator[None]:
    """Every one of these ends soon, whatever the archive."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < _SECONDS


def test_image_is_written_under_the_one_name(confined: Confined) -> None:
    assert confined.read(GOOD) == [archives.digest(LAYER)]
    read = members(confined.target.read_bytes())
    assert json.loads(read["manifest.json"])[0]["RepoTags"] == ["fpga-nova/a:1"]
    assert layers(read) == [LAYER]
    assert sorted(path.name for path in confined.folder.iterdir()) == ["source", "target.tar"]


def _with_layer(packed: bytes, diff: str, times: int = 1) -> bytes:
    root = {"diff_ids": [diff] * times}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": root}).encode()
    entry = {"Config": "c", "RepoTags": None, "Layers": ["l"] * times}
    return archives.tar({"c": config, "l": packed, "manifest.json": json.dumps([entry]).encode()})


def test_negative_size_ends_in_the_archive_and_in_a_layer(confined: Confined) -> None:
    # CVE-2025-8194: from here a reader may go back to the first header, for ever.
    loop = archives.header("manifest.json", archives.octal(0)) + archives.header(
        "a", archives.binary(-512)
    )
    for data in (loop + bytes(1024), _with_layer(loop, archives.digest(loop))):
        with pytest.raises(Refused, match="impossible size"):
            confined.read(data)


def test_layer_of_zeros_is_refused_and_writes_no_more_than_the_limit(confined: Confined) -> None:
    packed = archives.zeros(1 << 30)
    assert len(packed) < 2 << 20
    with pytest.raises(Refused, match="unpack to more than 64 MiB"):
        confined.read(_with_layer(packed, f"sha256:{'0' * 64}"))
    assert confined.target.stat().st_size <= LIMITS.unpacked + (2 << 20)


def test_archive_of_zeros_is_refused_and_writes_no_more_than_the_limit(confined: Confined) -> None:
    with pytest.raises(Refused, match="it unpacks to more than 128 MiB"):
        confined.read(archives.zeros(1 << 30))


def test_layer_of_nothing_but_padding_is_refused(confined: Confined) -> None:
    packed = (
        archives.PACKERS["gzip"](archives.tar({}))
        + archives.zeros(0)
        + gzip.compress(bytes(80 << 20), 1)
    )
    with pytest.raises(Refused, match="larger than 64 MiB"):
        confined.read(_with_layer(packed, f"sha256:{'0' * 64}"))


@pytest.mark.parametrize("packer", ["gzip", "zstd", "bzip2", "xz"])
def test_layer_within_a_layer_s_limit_counts_for_each_place(
    confined: Confined, packer: str
) -> None:
    layer = archives.tar({"file": bytes(20 << 20)})
    packed = archives.PACKERS[packer](layer)
    assert (
        confined.read(_with_layer(packed, archives.digest(layer), 3))
        == [archives.digest(layer)] * 3
    )
    with pytest.raises(Refused, match="unpack to more than 64 MiB"):
        confined.read(_with_layer(packed, archives.digest(layer), 4))


@pytest.mark.parametrize(
    "records",
    [
        {"GNU.sparse.realsize": str(1 << 40), "GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
        {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,1"},
    ],
)
def test_sparse_file_is_refused_for_what_an_engine_writes(
    confined: Confined, records: dict[str, str]
) -> None:
    layer = (
        archives.pax(records)
        + archives.header("a", archives.octal(1))
        + archives.padded(b"x")
        + bytes(1024)
    )
    with pytest.raises(Refused, match="unpack to more than 64 MiB"):
        confined.read(_with_layer(layer, archives.digest(layer)))


def test_size_beyond_the_archive_is_refused(confined: Confined) -> None:
    layer = archives.pax({"size": str(1 << 60)}) + archives.header("a", archives.octal(1))
    with pytest.raises(Refused, match=r"unpack to more|cut short"):
        confined.read(_with_layer(layer, archives.digest(layer)))


def test_many_files_are_refused(confined: Confined) -> None:
    layer = b"".join(archives.header(f"f{number}", archives.octal(0)) for number in range(1001))
    data = _with_layer(archives.PACKERS["gzip"](layer), archives.digest(layer))
    with pytest.raises(Refused, match="more than 1000 files"):
        confined.read(data)
    many = b"".join(archives.header(f"f{number}", archives.octal(0)) for number in range(20_001))
    with pytest.raises(Refused, match="more than 20000 files"):
        confined.read(many)


def test_long_names_are_refused(confined: Confined) -> None:
    name = archives.pax({"path": "n" * 5000}) + archives.header("a", archives.octal(0))
    with pytest.raises(Refused, match="more than 4096 characters"):
        confined.read(name)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp500"])
def test_json_of_another_encoding_is_refused(confined: Confined, encoding: str) -> None:
    # A codec that is not loaded yet cannot be loaded by a confined process.
    with pytest.raises(Refused, match="not JSON"):
        confined.read(archives.tar({"manifest.json": "[{}]".encode(encoding)}))


def test_links_in_a_circle_end(confined: Confined) -> None:
    with pytest.raises(Refused, match="neither manifest"):
        confined.read(archives.tar({"manifest.json": b"->a", "a": b"->b", "b": b"->a"}))


@pytest.mark.parametrize(
    "text",
    [b"[" * (4 << 20), b"[" + b"[]," * (1 << 20) + b"0]", b"[" + b"{}," * (1 << 20) + b"0]"],
    ids=["deep", "lists", "objects"],
)
def test_large_json_is_refused(confined: Confined, text: bytes) -> None:
    with pytest.raises(Refused, match=r"not JSON|not a list"):
        confined.read(archives.tar({"manifest.json": text}))


def test_time_that_runs_out_says_nothing_of_the_image(confined: Confined) -> None:
    data = _with_layer(archives.zeros(1 << 30), f"sha256:{'0' * 64}")
    with pytest.raises(NotRead, match=r"it took more than|died of SIGKILL"):
        confined.read(data, Limits(2 << 30, 1000), seconds=0.3)


def test_disk_without_room_says_nothing_of_the_image(
    confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file that may not grow fails as on a full disk, in the place where it is written.
    monkeypatch.setattr("fpga_nova.container_image.reading.ROOM", -(LIMITS.unpacked // 2) + 500)
    with pytest.raises(NotRead, match="File too large"):
        confined.read(GOOD)


def test_reader_that_cannot_run_says_nothing_of_the_image(
    confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpga_nova.container_image.reading._MEMORY", 1 << 20)
    with pytest.raises(NotRead):
        confined.read(GOOD)


def test_folder_that_takes_no_files_says_nothing_of_the_image(
    confined: Confined, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> typing.NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(NotRead, match="No space left"):
        confined.read(GOOD)


def test_large_image_is_read(confined: Confined) -> None:
    packed = archives.zeros(200 << 20)
    diff = archives.digest(gzip.decompress(packed))
    assert confined.read(_with_layer(packed, diff), Limits(300 << 20, 10)) == [diff]
    assert confined.target.stat().st_size > 200 << 20
