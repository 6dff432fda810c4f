# SPDX-License-Identifier: Apache-2.0
"""The memory of a process in a dump: what of it can be mapped, and how CRIU is to map it.

Large areas that a program has from mmap(2), or malloc(3) for it, become private mappings of a file.
Only pages that the dump has are mapped: what the program has not touched stays as it was. So does a
page at the end of each piece. mremap(2) refuses what spans two kinds of memory; without it, a part
that is extended would have the bytes that follow in the file, or none.
"""

import bisect
import os
import pathlib
import tarfile
import typing

from novadocker.live import images
from novadocker.live.errors import LiveError

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Bytes of a piece at least, and pieces of a process at most: Linux has 65530 areas for a process
#: (vm.max_map_count), and a piece makes two.
_PIECE, _PIECES = 1 << 20, 4096
#: Bytes behind the last piece of a file, for a part within a piece that is extended.
_ROOM = 4 << 20

#: CRIU's numbers of fields (images/mm.proto, vma.proto, pagemap.proto) and bits of theirs.
_VMAS = 14
_START, _END, _OFFSET, _FILE, _PROTECTION, _FLAGS, _STATUS, _ADVICE = 1, 2, 3, 4, 5, 6, 7, 9
_ADDRESS, _OLD_COUNT, _IN_PARENT, _PAGE_FLAGS, _COUNT = 1, 2, 3, 4, 5
_KNOWN = {_ADDRESS, _OLD_COUNT, _IN_PARENT, _PAGE_FLAGS, _COUNT}
_PRESENT = 4
_ANONYMOUS_AREA, _FILE_AREA = 1 | 1 << 9, 1 | 1 << 6
#: Of mmap(2): private, anonymous, noreserve; and to be read, or read and written.
_PRIVATE, _ANONYMOUS, _NORESERVE = 0x2, 0x20, 0x4000
_PROTECTIONS = (0x1, 0x3)


class Piece(typing.NamedTuple):
    """An area that is mapped.

    :param start: its address; so is `end`
    :param source: where its bytes are in CRIU's file of pages
    :param target: where they are in the file of memory
    """

    start: int
    end: int
    source: int
    target: int


class _Pages(typing.NamedTuple):
    """Pages that follow one another.

    :param start: their address; so is `end`
    :param source: where they are in CRIU's file of pages; None if it lacks them
    """

    start: int
    end: int
    source: int | None


class Memory:
    """The memory of a process in a dump.

    :param criu: the folder of CRIU's files
    :param path: that of the process's areas
    :ivar process: its number in the container
    :ivar pieces: what is to be mapped, by their addresses
    :raises LiveError: the dump is not as CRIU 4.2 writes it
    """

    def __init__(self, criu: pathlib.Path, path: pathlib.Path) -> None:
        self.process = path.stem.partition("-")[2]
        self._path, self._pagemap = path, criu / f"pagemap-{self.process}.img"
        self._magic, messages = images.read(path)
        self._map_magic, entries = images.read(self._pagemap)
        if len(messages) != 1 or not entries:
            raise _strange(path)
        self._mm, self._head, self._entries = messages[0], entries[0], entries[1:]
        self._areas = [images.Message(one) for one in self._mm.all(_VMAS)]
        self._pages = criu / f"pages-{self._head.number(1)}.img"
        self._found = list(self._located())
        self.pieces = list(self._chosen())
        self._ends = [piece.end for piece in self.pieces]

    @property
    def size(self) -> int:
        """Bytes of the pieces."""
        return sum(piece.end - piece.start for piece in self.pieces)

    @property
    def length(self) -> int:
        """Bytes of the file of memory."""
        return self.size + _ROOM

    def add_to(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        """Add the file of memory to an archive."""
        entry.size = self.length
        with self._pages.open("rb") as pages:
            archive.addfile(entry, typing.cast(typing.IO[bytes], _Reader(pages, self.pieces)))

    def map(self, file: int) -> None:
        """Have the dump map the file in place of its own pages.

        :param file: its number in the dump
        """
        areas = [part.dump() for area in self._areas for part in self._parts(area, file)]
        images.write(self._path, self._magic, [self._mm.replaced(_VMAS, areas)])
        new = self._pages.with_suffix(".new")
        entries = [self._head]
        with self._pages.open("rb") as pages, new.open("xb", buffering=0) as target:
            for entry, (start, end, source) in zip(self._entries, self._found, strict=True):
                for begin, finish in self._rest_of(start, end):
                    entries.append(_counted(entry, begin, finish))
                    if source is not None:
                        _copy(pages, source + begin - start, finish - begin, target)
        images.write(self._pagemap, self._map_magic, entries)
        new.replace(self._pages)

    def _located(self) -> typing.Iterator[_Pages]:
        """The pages of each entry of the pagemap."""
        last, offset = 0, 0
        for entry in self._entries:
            start, flags = entry.number(_ADDRESS), entry.number(_PAGE_FLAGS, _PRESENT)
            # 0 is the old count where there is a new one.
            size = entry.number(_COUNT, entry.number(_OLD_COUNT)) * _PAGE
            if start < last or size <= 0 or not entry.numbers <= _KNOWN:
                raise _strange(self._pagemap)
            last = start + size
            present = bool(flags & _PRESENT)
            yield _Pages(start, last, offset if present else None)
            offset += size if present else 0
        if offset != self._pages.stat().st_size:
            raise _strange(self._pages)

    def _chosen(self) -> typing.Iterator[Piece]:
        """What is to be mapped: of each run of pages of a suitable area, all but its seams."""
        runs = list(self._runs())
        total = sum(end - start for start, end, _source in runs)
        most = max(_PIECE, -(-total // (_PIECES * _PAGE)) * _PAGE)
        target = 0
        for start, end, source in runs:
            for begin in range(start, end, most):
                finish = min(begin + most, end) - _PAGE
                if finish - begin >= most // 4:
                    yield Piece(begin, finish, source + begin - start, target)
                    target += finish - begin

    def _runs(self) -> typing.Iterator[tuple[int, int, int]]:
        """Pages that follow one another, in suitable areas."""
        areas = iter(filter(_is_suitable, self._areas))
        area = next(areas, None)
        for start, end, source in self._joined():
            while area is not None and area.number(_START) < end:
                begin, finish = max(start, area.number(_START)), min(end, area.number(_END))
                if begin < finish:
                    yield begin, finish, source + begin - start
                if area.number(_END) > end:
                    break
                area = next(areas, None)

    def _joined(self) -> typing.Iterator[tuple[int, int, int]]:
        """The pages that the dump has, as long as they follow one another."""
        found: list[tuple[int, int, int]] = []
        for start, end, source in self._found:
            if source is None:
                continue
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end, found[-1][2])
            else:
                found.append((start, end, source))
        return iter(found)

    def _parts(self, area: images.Message, file: int) -> typing.Iterator[images.Message]:
        """An area, in parts that are mapped and parts that stay as they were."""
        start, end = area.number(_START), area.number(_END)
        at = start
        for piece in self._within(start, end):
            if at < piece.start:
                yield area.having({_START: at, _END: piece.start})
            flags = area.number(_FLAGS) & ~_ANONYMOUS
            place = {_START: piece.start, _END: piece.end, _OFFSET: piece.target}
            yield area.having({**place, _FILE: file, _FLAGS: flags, _STATUS: _FILE_AREA})
            at = piece.end
        if at == start:
            yield area
        elif at < end:
            yield area.having({_START: at, _END: end})

    def _rest_of(self, start: int, end: int) -> typing.Iterator[tuple[int, int]]:
        """Addresses without those of the pieces."""
        for piece in self._within(start, end):
            if start < piece.start:
                yield start, piece.start
            start = piece.end
        if start < end:
            yield start, end

    def _within(self, start: int, end: int) -> typing.Iterator[Piece]:
        """The pieces that have some of these addresses."""
        for piece in self.pieces[bisect.bisect_right(self._ends, start) :]:
            if piece.start >= end:
                return
            yield piece


class _Reader:
    """The bytes of a file of memory, as tarfile reads them.

    :param pages: where CRIU has them
    :param pieces: which they are
    """

    def __init__(self, pages: typing.BinaryIO, pieces: typing.Iterable[Piece]) -> None:
        self._parts = self._read(pages, pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """So many bytes; fewer at the end alone."""
        while len(self._rest) < size and (part := next(self._parts, b"")):
            self._rest += part
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _read(
        self, pages: typing.BinaryIO, pieces: typing.Iterable[Piece]
    ) -> typing.Iterator[bytes]:
        for piece in pieces:
            pages.seek(piece.source)
            yield pages.read(piece.end - piece.start)
        yield bytes(_ROOM)


def _is_suitable(area: images.Message) -> bool:
    """Whether an area is plain memory, with no advice of madvise(2) for it."""
    flags = area.number(_FLAGS) & ~_NORESERVE
    return (
        area.number(_STATUS) == _ANONYMOUS_AREA
        and flags == _PRIVATE | _ANONYMOUS
        and area.number(_PROTECTION) in _PROTECTIONS
        and not area.number(_ADVICE, 0)
    )


def _counted(entry: images.Message, start: int, end: int) -> images.Message:
    """An entry of a pagemap for other pages, with their count in the field that it had."""
    field = _COUNT if _COUNT in entry.numbers else _OLD_COUNT
    return entry.having({_ADDRESS: start, field: (end - start) // _PAGE})


def _copy(source: typing.BinaryIO, start: int, size: int, target: typing.BinaryIO) -> None:
    while size:
        count = os.copy_file_range(source.fileno(), target.fileno(), size, start)
        if not count:
            raise LiveError("a file of pages is cut short")
        start, size = start + count, size - count


def _strange(path: pathlib.Path) -> LiveError:
    return LiveError(f"{path.name} is not as CRIU 4.2 writes it, so that no memory is mapped")
