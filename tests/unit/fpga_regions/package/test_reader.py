# SPDX-License-Identifier: Apache-2.0
"""Reading a package that a stranger made: each way to harm is refused, and told."""

import contextlib
import dataclasses
import io
import typing
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.package import reader, writer
from tests.support import bitstreams

GOOD = bitstreams.package()
MANIFEST = writer.describe(bitstreams.fields(), bitstreams.bitfile())
LIMITS = reader.Limits(
    max_size=1 << 20,
    max_entries=8,
    max_unpacked_size=1 << 20,
    max_bitfile_size=1 << 19,
    max_manifest_size=4096,
    max_ratio=200,
)


def read(data: bytes, **limits: int) -> reader.Package:
    return reader.read(io.BytesIO(data), dataclasses.replace(LIMITS, **limits))


def refusal(data: bytes, **limits: int) -> str:
    with pytest.raises(errors.BadPackage) as caught:
        read(data, **limits)
    return caught.value.why


def with_entry(name: str = "more", content: bytes = b"x", **changes: typing.Any) -> bytes:
    """A good package and one more file."""
    info = zipfile.ZipInfo(name)
    info.filename = name
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return bitstreams.archive(
        ("manifest.json", MANIFEST), ("core.json", bitstreams.bitfile()), (info, content)
    )


def test_good_package_is_read() -> None:
    package = read(GOOD)
    assert package.manifest.function == "lzo1x_compress"
    assert package.bitfile == bitstreams.bitfile()


def test_package_with_other_files_is_read() -> None:
    assert read(with_entry("doc/README.txt")).bitfile == bitstreams.bitfile()


def test_same_input_gives_the_same_package() -> None:
    assert bitstreams.package() == GOOD


def test_default_limits_take_a_good_package(conf: cfg.ConfigOpts) -> None:
    assert reader.read(io.BytesIO(GOOD), reader.Limits.of(conf)).bitfile


def test_zip_without_a_manifest_is_refused() -> None:
    assert refusal(bitstreams.without_manifest()) == "it has no manifest.json at its top"


def test_manifest_in_a_folder_is_none() -> None:
    assert "no manifest.json" in refusal(bitstreams.archive(("a/manifest.json", MANIFEST)))


def test_package_without_its_bitfile_is_refused() -> None:
    assert refusal(bitstreams.archive(("manifest.json", MANIFEST))) == (
        "it lacks its bitfile core.json"
    )


def test_bitfile_of_another_digest_is_refused() -> None:
    data = bitstreams.archive(("manifest.json", MANIFEST), ("core.json", b"{}"))
    assert refusal(data) == "core.json does not have the digest of its manifest"


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip" * 50, GOOD[:-1], GOOD[:60]],
    ids=["empty", "short", "text", "end missing", "directory missing"],
)
def test_what_is_no_whole_zip_is_refused(data: bytes) -> None:
    assert "zip" in refusal(data)


def test_zip_without_its_beginning_is_refused() -> None:
    assert refusal(GOOD[20:]) == "manifest.json lies outside of it"


@pytest.mark.parametrize("before", [b"#!/bin/sh\n", GOOD])
def test_zip_with_something_before_it_is_refused(before: bytes) -> None:
    assert refusal(before + GOOD) == "it has something else before its first file"


@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_zip_of_another_number_of_files_than_it_says_is_refused(count: int) -> None:
    data = bytearray(GOOD)
    data[-12:-10] = count.to_bytes(2, "little")
    assert refusal(bytes(data)) == f"it has 2 files and says that it has {count}"


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(errors.BadPackage):
        read(data)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_package_with_one_wrong_byte_is_the_same_or_refused(where: int, change: int) -> None:
    data = bytearray(GOOD)
    data[where] ^= change
    with contextlib.suppress(errors.BadPackage):
        assert read(bytes(data)).bitfile == bitstreams.bitfile()


@pytest.mark.parametrize(
    "name", ["../up", "a/../../up", "/etc/passwd", "a//b", "./a", "a\\b", "C:x", "a\nb", ".."]
)
def test_forbidden_name_is_refused_though_nothing_is_unpacked(name: str) -> None:
    assert "forbidden name" in refusal(with_entry(name))


def test_name_that_is_too_long_is_refused() -> None:
    assert read(with_entry("a" * 255))
    assert "too long a name" in refusal(with_entry("a" * 256))


def test_refusal_is_short_however_long_a_name_the_file_itself_has() -> None:
    data = bytearray(GOOD)
    data[26:28] = (400).to_bytes(2, "little")
    why = refusal(bytes(data))
    assert why.startswith("it is not a zip, or a damaged one: File name in directory")
    assert len(why) < 300


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = with_entry("core.json", bitstreams.bitfile("crc32"))
    assert refusal(data) == "it has two files named core.json"


@pytest.mark.parametrize("kind", [0o120777, 0o020666, 0o060666, 0o010666, 0o140666])
def test_link_or_device_is_refused(kind: int) -> None:
    assert refusal(with_entry(external_attr=kind << 16)) == "more is a link or a device, not a file"


@pytest.mark.parametrize("flag", [0x1, 0x41, 0x2000])
def test_encrypted_file_is_refused(flag: int) -> None:
    data = bytearray(GOOD)
    directory = data.index(b"PK\x01\x02")
    data[directory + 8 : directory + 10] = flag.to_bytes(2, "little")
    assert refusal(bytes(data)) == "manifest.json is encrypted"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(method: int) -> None:
    assert "another way than deflate" in refusal(with_entry(compress_type=method))


def test_zip_with_a_comment_is_refused() -> None:
    file = io.BytesIO(GOOD)
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"hello"
    assert "comment" in refusal(file.getvalue())


def test_package_over_the_size_is_refused() -> None:
    assert "(max_size)" in refusal(GOOD, max_size=len(GOOD) - 1)


def test_package_of_too_many_files_is_refused() -> None:
    assert "(max_entries)" in refusal(with_entry(), max_entries=2)


def test_bomb_is_refused_by_its_ratio() -> None:
    assert "(max_ratio)" in refusal(
        with_entry("bomb", bytes(1 << 19), compress_type=zipfile.ZIP_DEFLATED)
    )


def test_package_that_unpacks_to_too_much_is_refused() -> None:
    assert "(max_unpacked_size)" in refusal(GOOD, max_unpacked_size=100)


def test_manifest_over_its_size_is_refused() -> None:
    assert "(max_manifest_size)" in refusal(GOOD, max_manifest_size=100)


def test_bitfile_over_its_size_is_refused() -> None:
    assert "(max_bitfile_size)" in refusal(GOOD, max_bitfile_size=10)


def test_signature_is_read_and_not_checked() -> None:
    assert read(GOOD).signature is None
    assert read(with_entry("manifest.json.sig", b"x" * 64)).signature == b"x" * 64
    assert read(GOOD).manifest_text == MANIFEST


@pytest.mark.parametrize("size", [0, 63, 65, 256])
def test_signature_of_another_size_is_refused(size: int) -> None:
    assert refusal(with_entry("manifest.json.sig", b"x" * size)) == (
        f"manifest.json.sig has {size} bytes, not the 64 of Ed25519"
    )


def with_size(data: bytes, size: int) -> bytes:
    """A package whose directory gives its bitfile another size than it has."""
    package = bytearray(data)
    entry = package.index(b"PK\x01\x02", package.index(b"PK\x01\x02") + 1)
    package[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    return bytes(package)


def test_size_that_the_directory_understates_is_found_out() -> None:
    assert "damaged" in refusal(with_size(bitstreams.package(content=bytes(100_000)), 10))


def test_size_that_the_directory_overstates_is_found_out() -> None:
    assert refusal(with_size(GOOD, len(bitstreams.bitfile()) + 1)) == "core.json is cut short"
