# SPDX-License-Identifier: Apache-2.0
"""Bytes from a part of a file, compressed or not, never more at once than was asked for."""

import bz2
import hashlib
import lzma
import os
import typing
import zlib

import zstandard

from fpga_nova.container_image.limits import Readable, Refused

CHUNK = 1 << 20
#: Fed to a decompressor at once; the rest is copied at the end of each stream, of which a layer has
#: one for each file in eStargz.
_FED = 1 << 16
_GZIP = b"\x1f\x8b"
#: Memory for a window: what `zstd` and `xz` themselves need by default for any level.
_MAX_WINDOW = 128 << 20
_DAMAGE = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, ValueError)


class Part:
    """A part of a file."""

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self._descriptor, self._at, self._end = descriptor, start, start + size
        self._start, self._size = start, size

    def anew(self) -> "Part":
        """The same part, from its beginning."""
        return Part(self._descriptor, self._start, self._size)

    def read(self, size: int = CHUNK, /) -> bytes:
        """The next bytes."""
        data = os.pread(self._descriptor, min(size, self._end - self._at), self._at)
        self._at += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """The next bytes, which will come again."""
        return os.pread(self._descriptor, min(size, self._end - self._at), self._at)


class _Decompressor(typing.Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gunzip:
    """zlib's with the interface of the others'."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, size: int, /) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, size)
        self.needs_input = len(found) < size and not self._inner.unconsumed_tail
        return found


class _Inflated:
    """What streams that follow one another unpack to."""

    def __init__(self, source: Part, make: typing.Callable[[], typing.Any]) -> None:
        self._source, self._make, self._current = source, make, make()
        self._early = b""  # what was read with the end of the stream before

    def read(self, size: int = CHUNK, /) -> bytes:
        while True:
            if self._current.eof and not self._next():
                return b""
            fed = self._feed() if self._current.needs_input else b""
            starved = self._current.needs_input and not fed
            found: bytes = self._current.decompress(fed, size)
            if found:
                return found
            if starved and not self._current.eof:
                raise EOFError("it is cut short")

    def _next(self) -> bool:
        """Go on with the stream after this one, if there is one; zeros may pad the end."""
        rest = self._current.unused_data or self._feed()
        if not rest.strip(b"\0"):
            return bool(rest) and self._skip(rest)
        self._current, self._early = self._make(), rest
        return True

    def _feed(self) -> bytes:
        data, self._early = self._early or self._source.read(_FED), b""
        return data

    def _skip(self, rest: bytes) -> bool:
        while rest:
            if rest.strip(b"\0"):
                raise EOFError("something follows its end")
            rest = self._source.read(CHUNK)
        return False


def _zstd(source: Part) -> Readable:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    # It needs no more than `read` of its source.
    raw = typing.cast(typing.BinaryIO, source)
    return unpacker.stream_reader(raw, read_across_frames=True)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MAX_WINDOW)


_KINDS: dict[bytes, typing.Callable[[Part], Readable]] = {
    _GZIP: lambda source: _Inflated(source, _Gunzip),
    b"BZh": lambda source: _Inflated(source, bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": lambda source: _Inflated(source, _xz),
    b"\x28\xb5\x2f\xfd": _zstd,
    **{bytes([0x50 + number]) + b"\x2a\x4d\x18": _zstd for number in range(16)},  # skippable
}


def compressed(source: Part) -> bool:
    """Whether a part of a file is compressed in a way that engines know; they look the same way."""
    return any(source.peek(len(magic)) == magic for magic in _KINDS)


def unpacked(source: Part) -> Readable:
    """The bytes of a part of a file, unpacked if it is compressed."""
    for magic, kind in _KINDS.items():
        if source.peek(len(magic)) == magic:
            return kind(source)
    return source


class Stream:
    """Reads exactly so many bytes; all that is read is counted, hashed and copied on the way.

    :param spend: is called with the number of bytes each time
    :param copy: where they go
    """

    def __init__(
        self,
        source: Readable,
        spend: typing.Callable[[int], None],
        copy: typing.BinaryIO | None = None,
    ) -> None:
        self._source, self._spend, self._copy = source, spend, copy
        self._held, self._at = b"", 0
        self._digest = hashlib.sha256() if copy else None
        #: How many bytes were read or skipped.
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next bytes; fewer at the end only.

        :raises Refused: they are damaged, or too many
        """
        found = self._held[self._at : self._at + size]
        self._at += len(found)
        while len(found) < size and self._fill():
            more = self._held[: size - len(found)]
            self._at = len(more)
            found += more
        self.position += len(found)
        return found

    def skip(self, size: int) -> None:
        """Go past bytes.

        :raises Refused: they are damaged, too many, or not there
        """
        remainder = size
        while remainder:
            passed = min(remainder, len(self._held) - self._at)
            self._at += passed
            remainder -= passed
            if remainder and not self._fill():
                raise Refused("it is cut short")
        self.position += size

    def drain(self) -> str:
        """Read to the end; gives the digest of all, `sha256:` and hexadecimal digits."""
        while self._fill():
            pass
        return f"sha256:{self._digest.hexdigest()}" if self._digest else ""

    def _fill(self) -> bool:
        try:
            self._held, self._at = self._source.read(CHUNK), 0
        except _DAMAGE as e:
            raise Refused(f"it cannot be unpacked ({e})") from e
        except OSError as e:
            if e.errno is not None:  # the disk's; bz2's own has none
                raise
            raise Refused(f"it cannot be unpacked ({e})") from e
        self._spend(len(self._held))
        if self._copy and self._digest:
            self._digest.update(self._held)
            self._copy.write(self._held)
        return bool(self._held)
