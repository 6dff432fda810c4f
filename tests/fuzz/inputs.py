# SPDX-License-Identifier: Apache-2.0
"""Inputs for the readers: bytes at random, good ones damaged, and odd ones made with care.

Archives are written field by field, not by zipfile, which writes what is right only. Most fields
are right in most inputs, so that a reader gets far before it meets what is wrong.
"""

import functools
import hashlib
import json
import random
import struct
import typing
import zipfile
import zlib

from hypothesis import strategies as st

from fpga_regions.package import manifest
from tests.support import bitstreams

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_BITFILE = bitstreams.bitfile()
_MANIFEST = {
    "manifest_version": 1,
    **bitstreams.fields(type="compression", description="for people"),
    "digests": {"sha256": hashlib.sha256(_BITFILE).hexdigest()},
}
_GOOD = (
    bitstreams.package(),
    bitstreams.package(content=bytes(range(256)) * 8),
    bitstreams.archive(
        (zipfile.ZipInfo(manifest.FILE), json.dumps(_MANIFEST).encode()),
        (zipfile.ZipInfo(manifest.SIGNATURE), bytes(64)),
        (zipfile.ZipInfo("core.json"), _BITFILE),
        (zipfile.ZipInfo("doc/README"), b"hello" * 100),
    ),
)

_in_twenty = st.integers(0, 19)
_TOKENS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e999", b"-1", b"9" * 30),
    *(b"\\u0000", b"\\ud800", b"\xff", b"\0", b"\n", b"../", b'"a"', b'"sha256"', b"x-"),
    *(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\7", b"\xff" * 4, b"\0" * 4, b"\x01\0", b"\x08\0"),
)
_odd_numbers = st.sampled_from([0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 4096, 2**16 - 1, 2**32 - 1])
_names = st.sampled_from(
    [
        *(manifest.FILE, manifest.SIGNATURE, "core.json", "a/", "../up", "/etc/passwd", "a\\b"),
        *("C:x", "", ".", "a\0b", "e\u0301", "\u202egpj.exe", "x" * 300, "MANIFEST.JSON"),
    ]
) | st.text(max_size=8)
_values: st.SearchStrategy[typing.Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([1, 2, 1.0, True, 10**400, "a", "A" * 65, "core.json", "/dev/x", "\0", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Something good with some bytes changed, removed, doubled or cut off."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 2))):
        where = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(1, 32))
        change = draw(st.sampled_from(["replace", "insert", "remove", "double", "cut"]))
        if change == "replace":
            data[where : where + length] = draw(st.binary(min_size=1, max_size=length))
        elif change == "insert":
            data[where:where] = draw(st.binary(min_size=1, max_size=length))
        elif change == "remove":
            del data[where : where + length]
        elif change == "double":
            data[where:where] = data[where : where + length]
        else:
            del data[where:]
    return bytes(data)


@st.composite
def manifests(draw: st.DrawFn) -> bytes:
    """A manifest that is good but for what one or two of its members are."""
    document = json.loads(json.dumps(_MANIFEST))
    places = [document, document["target"], document["digests"], document["exposes"][0]]
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(places))
        name = draw(st.sampled_from([*sorted(place), "x-own"]) | st.text(max_size=10))
        if draw(st.booleans()):
            place[name] = draw(_values)
        else:
            place.pop(name, None)
    return json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A zip with each field chosen, rightly for the most part."""
    odd = functools.partial(_odd, draw)
    contents = [(manifest.FILE, draw(manifests())), ("core.json", _BITFILE)]
    contents += draw(st.lists(st.tuples(_names, st.binary(max_size=70)), max_size=3))
    data, directory, count = bytearray(), bytearray(), 0
    for name, content in contents:
        raw = name.encode("utf-8", "surrogatepass")
        packed = _packed(content) if draw(st.booleans()) else content
        method = 8 if packed is not content else 0
        crc, flags = odd(zlib.crc32(content)), odd(0x800)
        sizes = (odd(len(packed)), odd(len(content)))
        common = (flags & 0xFFFF, odd(method) & 0xFFFF, 0, 33, crc, *sizes, len(raw))
        offset = odd(len(data))
        data += _LOCAL.pack(b"PK\3\4", 20, *common, 0) + raw + packed
        mode = draw(st.sampled_from([0o100644] * 20 + [0o120777, 0o040755, 0o020666, 0]))
        attributes = (0, 0, 0, 0, (mode << 16) & 0xFFFFFFFF, offset)
        directory += _CENTRAL.pack(b"PK\1\2", 0x0314, 20, *common, *attributes) + raw
        count += 1
    counts = (odd(count) & 0xFFFF, odd(count) & 0xFFFF)
    end = (0, 0, *counts, odd(len(directory)), odd(len(data)), 0)
    return bytes(data + directory + _END.pack(b"PK\5\6", *end))


def _odd(draw: st.DrawFn, right: int) -> int:
    """A number that is right in about nineteen cases of twenty."""
    return draw(_odd_numbers) if draw(_in_twenty) == 13 else right


def _packed(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def variants(data: bytes, count: int) -> typing.Iterator[bytes]:
    """An input, and others with a few bytes changed at random, the same for the same input.

    It costs hypothesis far more to think of an input than it costs a reader to read it.
    """
    chance = random.Random(zlib.crc32(data))
    yield data
    for _ in range(count - 1):
        other = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            where = chance.randrange(len(other) + 1)
            new = chance.choice((*_TOKENS, bytes([chance.randrange(256)]), b""))
            # Mostly in place: what moves the rest of an archive is found out at once.
            old = len(new) if chance.random() < 0.8 else chance.choice((0, 1, 2, 4, 16))
            other[where : where + old] = new
        yield bytes(other)


PACKAGES = st.one_of(
    archives(), *(damaged(good) for good in _GOOD), archives().flatmap(damaged), st.binary()
)
MANIFESTS = st.one_of(
    manifests(),
    manifests().flatmap(damaged),
    _values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.text().map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(),
)
