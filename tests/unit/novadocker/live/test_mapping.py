# SPDX-License-Identifier: Apache-2.0
"""The memory of a dump that is moved to a layer, with files as CRIU writes them."""

import itertools
import json
import pathlib
import random
import tarfile
import typing

import pytest

from novadocker.live import command, errors, images, manifest, mapping, memory
from tests.unit.novadocker.live.conftest import ID, Host

_PAGE = 4096
_MAGIC = b"CRIUKIND"
_FLAGS = 0x22
_PLAIN, _HEAP = 1 | 1 << 9, 1 | 1 << 5 | 1 << 9
_FILE = 1 | 1 << 6
_BASE = 0x7F0000000000

Message = images.Message


class Area(typing.NamedTuple):
    """An area of memory; addresses in pages."""

    start: int
    end: int
    status: int = _PLAIN
    flags: int = _FLAGS
    protection: int = 3
    advice: int = 0


class Dump:
    """A dump of one process, whose pages are noise.

    :param pages: by their addresses
    """

    def __init__(self, folder: pathlib.Path, areas: list[Area], pages: set[int]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        noise = random.Random(1)
        self.pages = {page: noise.randbytes(_PAGE) for page in sorted(pages)}
        messages = [
            Message().having(
                {
                    1: _address(one.start),
                    2: _address(one.end),
                    3: 0,
                    4: 0,
                    5: one.protection,
                    6: one.flags,
                    7: one.status,
                    8: 1,
                    9: one.advice,
                }
            )
            for one in areas
        ]
        # A field that is not known here.
        mm = Message().having({12: 7, 99: b"later"}).replaced(14, [one.dump() for one in messages])
        images.write(folder / "mm-5.img", _MAGIC, [mm])
        entries = [
            Message().having({1: _address(page), 2: 0, 4: 6, 5: 1}) for page in sorted(pages)
        ]
        images.write(folder / "pagemap-5.img", _MAGIC, [Message().having({1: 3}), *entries])
        (folder / "pages-3.img").write_bytes(b"".join(self.pages.values()))
        root = Message().having({1: 9, 6: b"/", 7: 4})
        file = Message().having({1: 1, 2: 9, 3: root.dump()})
        images.write(folder / "files.img", _MAGIC, [file])

    def areas(self) -> list[Message]:
        """The areas as they are now."""
        (mm,) = images.read(self.folder / "mm-5.img")[1]
        assert mm.text(99) == b"later"
        return [Message(one) for one in mm.all(14)]

    def restored(self, layer: pathlib.Path) -> dict[int, bytes]:
        """What CRIU would restore; None is memory that was not touched."""
        found: dict[int, bytes] = {}
        with tarfile.open(layer) as archive:
            files = {f"/{one.name}": archive.extractfile(one) for one in archive if one.isreg()}
            names = {
                one.number(2): Message(one.text(3)).text(6).decode()
                for one in images.read(self.folder / "files.img")[1]
            }
            for area in self.areas():
                if area.number(7) != _FILE:
                    continue
                file = files[names[area.number(4)]]
                assert file is not None
                file.seek(area.number(3))
                for page in range(_number(area.number(1)), _number(area.number(2))):
                    found[page] = file.read(_PAGE)
        pages = (self.folder / "pages-3.img").read_bytes()
        for entry in images.read(self.folder / "pagemap-5.img")[1][1:]:
            for page in range(_number(entry.number(1)), _number(entry.number(1)) + entry.number(5)):
                found[page], pages = pages[:_PAGE], pages[_PAGE:]
        assert pages == b""
        return found


def _address(page: int) -> int:
    return _BASE + page * _PAGE


def _number(address: int) -> int:
    return (address - _BASE) // _PAGE


def _move(dump: Dump, layer: pathlib.Path) -> int:
    return mapping._move(dump.folder, layer, ".fpga-live/one")


def _mapped(dump: Dump) -> list[range]:
    """The pages that are mapped."""
    return [
        range(_number(area.number(1)), _number(area.number(2)))
        for area in dump.areas()
        if area.number(7) == _FILE
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_process_has_the_same_memory(tmp_path: pathlib.Path, seed: int) -> None:
    chance = random.Random(seed)
    areas, pages, at = [], set(), 0
    for _ in range(6):
        size = chance.randrange(1, 1200)
        areas.append(Area(at, at + size, chance.choice([_PLAIN, _PLAIN, _HEAP])))
        start = at
        while start < at + size:
            end = min(at + size, start + chance.choice([1, 50, 300, 700]))
            pages |= set(range(start, end)) if chance.random() < 0.8 else set()
            start = end
        at += size + chance.choice([0, 0, 5])
    dump = Dump(tmp_path / "criu", areas, pages)
    size = _move(dump, tmp_path / "layer")
    assert dump.restored(tmp_path / "layer") == dump.pages
    mapped = _mapped(dump)
    assert sum(map(len, mapped)) * _PAGE == size
    parts = sorted((_number(one.number(1)), _number(one.number(2))) for one in dump.areas())
    for one in areas:
        # An area is in parts, which follow one another.
        inside = [part for part in parts if one.start <= part[0] < one.end]
        assert (inside[0][0], inside[-1][1]) == (one.start, one.end)
        assert all(lower[1] == upper[0] for lower, upper in itertools.pairwise(inside))
        assert one.status == _PLAIN or len(inside) == 1


def test_only_pages_that_there_are_are_mapped_and_never_the_last_of_a_piece(
    tmp_path: pathlib.Path,
) -> None:
    dump = Dump(tmp_path / "criu", [Area(0, 2000)], {*range(600), *range(700, 1100)})
    _move(dump, tmp_path / "layer")
    # Pieces of a MiB.
    expected = [range(255), range(256, 511), range(512, 599), range(700, 955), range(956, 1099)]
    assert _mapped(dump) == expected


@pytest.mark.parametrize(
    "area",
    [
        Area(0, 1000, _HEAP),
        Area(0, 1000, flags=_FLAGS | 0x100),  # grows down
        Area(0, 1000, flags=_FLAGS | 0x2000),  # locked
        Area(0, 1000, protection=7),
        Area(0, 1000, protection=0),
        Area(0, 1000, advice=1 << 18),  # wiped in a child
        Area(0, 50),
    ],
    ids=str,
)
def test_no_other_area_is_mapped(tmp_path: pathlib.Path, area: Area) -> None:
    dump = Dump(tmp_path / "criu", [area], set(range(area.end)))
    assert _move(dump, tmp_path / "layer") == 0
    assert _mapped(dump) == []
    assert dump.restored(tmp_path / "layer") == dump.pages


def test_a_process_has_no_more_areas_than_linux_lets_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PIECES", 4)
    dump = Dump(tmp_path / "criu", [Area(0, 3000)], set(range(3000)))
    _move(dump, tmp_path / "layer")
    assert len(_mapped(dump)) == 4


def test_a_file_is_roots_and_has_room_behind_its_memory(tmp_path: pathlib.Path) -> None:
    dump = Dump(tmp_path / "criu", [Area(0, 1000)], set(range(1000)))
    size = _move(dump, tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as archive:
        entries = {one.name: one for one in archive}
    assert list(entries) == [".fpga-live", ".fpga-live/one", ".fpga-live/one/5"]
    assert [entries[name].mode for name in entries] == [0o700, 0o700, 0o400]
    assert entries[".fpga-live/one/5"].size == size + (4 << 20)
    file = Message(images.read(dump.folder / "files.img")[1][-1].text(3))
    # CRIU compares both with what it finds, and looks in the mount of the root.
    assert file.number(8) == size + (4 << 20)
    assert (file.number(10), file.number(7)) == (0o100400, 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "pages-3.img").write_bytes(b"short"),
        lambda folder: images.write(folder / "mm-5.img", _MAGIC, []),
        lambda folder: images.write(
            folder / "pagemap-5.img",
            _MAGIC,
            # A field of a later CRIU: its pages may be compressed.
            [Message().having({1: 3}), Message().having({1: _BASE, 2: 0, 4: 6, 5: 1, 7: 1})],
        ),
        lambda folder: (folder / "pagemap-5.img").write_bytes(_MAGIC + b"\xff\0\0\0short"),
    ],
)
def test_a_dump_that_is_not_understood_is_refused(
    tmp_path: pathlib.Path, change: typing.Callable[[pathlib.Path], object]
) -> None:
    dump = Dump(tmp_path / "criu", [Area(0, 1000)], set(range(1000)))
    change(dump.folder)
    with pytest.raises(errors.LiveError):
        _move(dump, tmp_path / "layer")


def test_a_dump_without_a_root_is_refused(tmp_path: pathlib.Path) -> None:
    dump = Dump(tmp_path / "criu", [Area(0, 1000)], set(range(1000)))
    images.write(dump.folder / "files.img", _MAGIC, [Message().having({1: 1, 2: 9})])
    with pytest.raises(errors.LiveError, match="no process has the root"):
        _move(dump, tmp_path / "layer")


def _run(host: Host, capsys: pytest.CaptureFixture[str]) -> typing.Any:
    assert command.main(["--settings", str(host.file), "map", ID]) == 0
    return json.loads(capsys.readouterr().out)


def test_nova_compute_may_read_the_layer_and_nothing_else(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = host.settings.spool / ID
    Dump(folder / manifest.CRIU, [Area(0, 1000)], set(range(1000)))
    found = _run(host, capsys)
    layer = folder / mapping.LAYER
    assert found["path"] == str(layer)
    assert found["digest"] == manifest.digest_of(layer)
    modes = [path.stat().st_mode & 0o777 for path in (folder, layer)]
    assert modes == [0o710, 0o640]


def test_a_dump_without_large_areas_has_no_layer(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    Dump(host.settings.spool / ID / manifest.CRIU, [Area(0, 10)], set(range(10)))
    assert _run(host, capsys) == {}


def test_no_dump_is_mapped_that_is_not_there(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--settings", str(host.file), "map", ID]) == 1
    assert "there is no dump" in capsys.readouterr().err


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05ab", b"\x0f", b"\x08" + b"\xff" * 11])
def test_a_message_that_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(errors.LiveError, match="cannot be read"):
        Message(data)


def test_a_message_stays_as_it_was() -> None:
    data = b"\x08\x96\x01\x12\x02hi\x19\1\2\3\4\5\6\7\x08\x25\1\2\3\4"
    assert Message(data).dump() == data
    assert Message(data).number(1) == 150
