# SPDX-License-Identifier: Apache-2.0
"""Finds the entries of a tar archive where Docker's and containerd's reader finds them.

Both read with Go's archive/tar, and what it would make of an archive is what counts: sizes that
extended headers override, sparse files that are larger than what is stored of them. What it
refuses, or what readers understand in different ways, is refused here.

https://cs.opensource.google/go/go/+/master:src/archive/tar/reader.go; Python's tarfile differs,
and before CVE-2025-8194 was mended it went backwards for a negative size.
"""

import re
import typing

from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.streams import Stream

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_MAX_HEADER = 1 << 20  # as in Go
_MAX_SIZE = 1 << 63
_WITHOUT_DATA = b"123456"
_EXTENDED, _GLOBAL, _LONG_NAME, _LONG_LINK, _SPARSE = b"x", b"g", b"L", b"K", b"S"
_SPARSE_SIZES = ("GNU.sparse.size", "GNU.sparse.realsize")
_RECORD = re.compile(rb"([0-9]{1,7}) ")
_NUMBER = re.compile(r"\+?[0-9]{1,19}")


class Entry(typing.NamedTuple):
    """A file, folder, link or the like.

    :param kind: its type flag; b"0" for a file
    :param start: where its data begins
    :param size: bytes of its data in the archive
    :param unpacked: bytes that it has once it is unpacked
    """

    name: str
    kind: bytes
    link: str
    start: int
    size: int
    unpacked: int


def entries(stream: Stream) -> typing.Iterator[Entry]:
    """The entries of an archive from its beginning to its end marker.

    :raises Refused: it is no tar archive, is damaged or ambiguous
    """
    records: dict[str, str] = {}
    names: dict[bytes, str] = {}
    while block := _next_header(stream):
        kind, size = block[156:157], _number(block[124:136])
        if kind in (_EXTENDED, _GLOBAL, _LONG_NAME, _LONG_LINK):
            text = _special(stream, size)
            if kind == _EXTENDED:
                records = _records(text)
            elif kind == _GLOBAL:  # an entry for Go: it changes none, and uses up what is before it
                records, names = {}, {}
            else:
                names[kind] = _text(text)
            continue
        entry = _entry(stream, block, records, names)
        yield entry
        stream.skip(entry.start + entry.size + -entry.size % _BLOCK - stream.position)
        records, names = {}, {}


def _next_header(stream: Stream) -> bytes:
    """The next header; empty at the end."""
    block = stream.read(_BLOCK)
    if block == _ZEROS:
        block = stream.read(_BLOCK)
        if block not in (b"", _ZEROS):
            raise Refused("it is not a tar archive, or a damaged one: its end is not its end")
        return b""
    if block and not _checks(block):
        raise Refused("it is not a tar archive, or a damaged one")
    return block


def _checks(block: bytes) -> bool:
    if len(block) < _BLOCK:
        return False
    rest = block[:148] + block[156:]
    checksum, found = _number(block[148:156]), sum(rest) + 8 * 32
    # Old programs added signed bytes.
    return checksum in (found, found - 256 * sum(byte > 127 for byte in rest))


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        number = int.from_bytes(field, "big", signed=True)
        if field[0] & 0x40 == 0:
            number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    else:
        digits = field.strip(b" \0").split(b"\0")[0]
        if not re.fullmatch(rb"[0-7]*", digits):
            raise Refused("it is not a tar archive, or a damaged one: a number is not valid")
        number = int(digits or b"0", 8)
    if not 0 <= number < _MAX_SIZE:
        raise Refused("it is a damaged tar archive: an entry has an impossible size")
    return number


def _special(stream: Stream, size: int) -> bytes:
    if size > _MAX_HEADER:
        raise Refused(f"an extended header in it has more than {_MAX_HEADER} bytes")
    text = stream.read(size)
    stream.skip(-size % _BLOCK)
    return text


def _records(text: bytes) -> dict[str, str]:
    """What an extended header says; the last word counts."""
    found = {}
    at = 0  # slices of all that follows would take a minute for a large header
    while at < len(text):
        length = _RECORD.match(text, at)
        if length is None:
            raise Refused("an extended header in it is damaged")
        end = at + int(length[1])
        name, equals, value = text[length.end() : end].removesuffix(b"\n").partition(b"=")
        if end > len(text) or text[end - 1 : end] != b"\n" or not name or not equals:
            raise Refused("an extended header in it is damaged")
        at = end
        if value:
            found[_decode(name)] = _decode(value)
        else:
            found.pop(_decode(name), None)
    return found


def _entry(stream: Stream, block: bytes, records: dict[str, str], names: dict[bytes, str]) -> Entry:
    kind = block[156:157]
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345:346] != b"\0":
        name = f"{_text(block[345:500])}/{name}"
    name = names.get(_LONG_NAME) or records.get("path") or name
    link = names.get(_LONG_LINK) or records.get("linkpath") or _text(block[157:257])
    size = _decimal(records["size"]) if "size" in records else _number(block[124:136])
    if kind == b"\0":
        kind = b"5" if name.endswith("/") else b"0"
        if kind == b"5" and size:
            raise Refused("a folder in it has data")
    if kind in _WITHOUT_DATA:
        size = 0
    unpacked = max([size, *(_decimal(records[key]) for key in _SPARSE_SIZES if key in records)])
    if kind == _SPARSE:
        unpacked = max(unpacked, _sparse_size(stream, block))
        kind = b"0"
    return Entry(name, kind, link, stream.position, size, unpacked)


def _sparse_size(stream: Stream, block: bytes) -> int:
    """The size of a sparse file of GNU's old format, whose map may go on in further blocks."""
    if block[257:265] != b"ustar  \0":
        raise Refused("a sparse file in it is not of GNU's format")
    size, more = _number(block[483:495]), block[482]
    while more:
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            raise Refused("it is cut short")
        more = block[504]
    return size


def _decimal(text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) >= _MAX_SIZE:
        raise Refused("it is a damaged tar archive: an entry has an impossible size")
    return int(text)


def _text(field: bytes) -> str:
    return _decode(field.split(b"\0")[0])


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
