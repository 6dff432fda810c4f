# SPDX-License-Identifier: Apache-2.0
"""Entries of tar archives are where Go finds them, and what is ambiguous is refused."""

import io
import tarfile
import time

import pytest

from fpga_nova.container_image import tar
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.streams import Stream
from tests.support import container_images as archives

END = bytes(1024)


def entries(data: bytes) -> list[tar.Entry]:
    return list(tar.entries(Stream(io.BytesIO(data), lambda _: None)))


def sizes(data: bytes) -> list[tuple[str, int, int]]:
    return [(entry.name, entry.size, entry.unpacked) for entry in entries(data)]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_links_and_long_names_are_found(form: int) -> None:
    data = io.BytesIO()
    names = ["a", f"{'d' * 90}/{'f' * 60}"] + ["é" * 120] * (form != tarfile.USTAR_FORMAT)
    with tarfile.open(fileobj=data, mode="w", format=form) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 700
            archive.addfile(member, io.BytesIO(b"x" * 700))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "t" * 100
        archive.addfile(link)
    found = entries(data.getvalue())
    assert [entry.name for entry in found] == [*names, "link"]
    assert {entry.size for entry in found[:-1]} == {700}
    assert (found[-1].kind, found[-1].link) == (b"2", "t" * 100)
    assert data.getvalue()[found[0].start :][:700] == b"x" * 700


def test_size_in_base_256_is_read() -> None:
    assert sizes(archives.header("a", archives.binary(3)) + archives.padded(b"abc") + END) == [
        ("a", 3, 3)
    ]


@pytest.mark.parametrize("size", [-1, -512, -(1 << 40), -(1 << 87)])
def test_negative_size_is_refused(size: int) -> None:
    with pytest.raises(Refused, match="impossible size"):
        entries(archives.header("a", archives.binary(size)) + END)


@pytest.mark.parametrize("size", ["-5", "1_0", "0x10", "9" * 19, "9" * 30, " 5", "5.0"])
def test_odd_size_of_an_extended_header_is_refused(size: str) -> None:
    with pytest.raises(Refused, match="impossible size"):
        entries(archives.pax({"size": size}) + archives.header("a", archives.octal(0)) + END)


def test_size_of_an_extended_header_counts() -> None:
    data = archives.pax({"size": "513"}) + archives.header("a", archives.octal(0)) + bytes(1024)
    assert sizes(data + END) == [("a", 513, 513)]


def test_large_extended_header_is_read_in_no_time() -> None:
    text = b"6 a=b\n" * 170_000
    data = archives.header("x", archives.octal(len(text)), b"x", b"ustar\x0000") + archives.padded(
        text
    )
    start = time.monotonic()
    assert sizes(data + archives.header("a", archives.octal(0)) + END) == [("a", 0, 0)]
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "text",
    [b"0 a=b\n", b"2 a=b\n", b"4 a=b\n", b"7 a=b\n", b"5 a=b\n", b"6 a=b ", b"6 =ab\n", b"x"],
)
def test_damaged_extended_header_is_refused(text: bytes) -> None:
    data = archives.header("x", archives.octal(len(text)), b"x", b"ustar\x0000") + archives.padded(
        text
    )
    with pytest.raises(Refused, match="extended header in it is damaged"):
        entries(data + archives.header("a", archives.octal(0)) + END)


def test_global_header_counts_for_nothing_as_in_go() -> None:
    data = _global({"size": "513"})
    assert sizes(data + archives.header("a", archives.octal(0)) + END) == [("a", 0, 0)]


def test_global_header_uses_up_what_is_before_it_as_in_go() -> None:
    # Otherwise the file's data passes for a header that hides all entries after it.
    hidden = archives.header("hidden", archives.octal(512))
    data = archives.pax({"size": "0"}) + _global({"comment": "x"})
    data += archives.header("a", archives.octal(512)) + hidden
    data += archives.header("b", archives.octal(0)) + archives.header("c", archives.octal(0))
    assert [name for name, _, _ in sizes(data + END)] == ["a", "b", "c"]


def _global(records: dict[str, str]) -> bytes:
    block = bytearray(archives.pax(records))
    block[156:157] = b"g"
    return archives.summed(block[:512].copy()) + bytes(block[512:])


@pytest.mark.parametrize("key", ["GNU.sparse.size", "GNU.sparse.realsize"])
def test_sparse_file_counts_with_all_that_it_unpacks_to(key: str) -> None:
    data = archives.pax({key: str(1 << 40), "GNU.sparse.map": "0,1"})
    data += archives.header("a", archives.octal(1)) + archives.padded(b"x")
    assert sizes(data + END) == [("a", 1, 1 << 40)]


def test_sparse_file_of_the_old_format_counts_so_too_and_its_map_is_skipped() -> None:
    block = bytearray(archives.header("a", archives.octal(1), b"S"))
    block[482], block[483:495] = 1, archives.octal(1 << 33)[:12]
    more = bytearray(512)
    more[504] = 1
    data = archives.summed(block) + bytes(more) + bytes(512) + archives.padded(b"x")
    data += archives.header("b", archives.octal(0)) + END
    assert sizes(data) == [("a", 1, 1 << 33), ("b", 0, 0)]


def test_links_have_no_data_whatever_they_say() -> None:
    data = (
        archives.header("a", archives.octal(5), b"1")
        + archives.header("b", archives.octal(0))
        + END
    )
    assert sizes(data) == [("a", 0, 0), ("b", 0, 0)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no archive" * 100, "not a tar archive"),
        (archives.header("a", archives.octal(5)), "cut short"),
        (archives.header("a", archives.octal(5))[:300], "not a tar archive"),
        (archives.header("a", b"12 34567890\0"), "a number is not valid"),
        (archives.header("a/", archives.octal(5), b"\0"), "a folder in it has data"),
        (bytes(512) + b"x" * 512, "its end is not its end"),
        (archives.header("x", archives.octal(2 << 20), b"x") + bytes(2 << 20), "extended header"),
        (archives.header("x", archives.octal(5), b"x") + archives.padded(b"9 a=b"), "damaged"),
        (archives.header("x", archives.octal(6), b"x") + archives.padded(b"6 a=b\0"), "damaged"),
        (archives.header("x", archives.octal(5), b"x") + archives.padded(b"0 a=b"), "damaged"),
        (archives.header("a", archives.octal(5), b"S", b"ustar\x0000"), "not of GNU's format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_damaged_or_ambiguous_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        entries(data)


def test_archive_may_end_without_its_end() -> None:
    assert sizes(archives.header("a", archives.octal(0))) == [("a", 0, 0)]
    assert sizes(b"") == []
    assert sizes(bytes(512)) == []


def test_python_and_we_agree_on_what_python_wrote() -> None:
    data = archives.tar({"a": b"x" * 1000, "b": b"->a", "c/d": b"", "e": b"=>a"})
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        theirs = [(one.name, one.offset_data, one.linkname) for one in archive]
    assert [(one.name, one.start, one.link) for one in entries(data)] == theirs
