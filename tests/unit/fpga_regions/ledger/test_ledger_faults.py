# SPDX-License-Identifier: Apache-2.0
"""Disks that are full or read-only, files that are damaged: it is told, and nothing gets worse."""

import contextlib
import multiprocessing
import random
import re
import resource
import subprocess
import typing
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.model import State
from tests.support import bitstreams
from tests.support.host import Host
from tests.unit.fpga_regions.command.test_main import refusal
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

_FORK = multiprocessing.get_context("fork")


class Disk:
    """A small file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room on it."""
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def close_to_writers(self, closed: bool) -> None:
        """Make it read-only, or writable again."""
        mode = "ro" if closed else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> typing.Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def host(disk: Disk, tmp_path: Path) -> typing.Iterator[Host]:
    """A host whose ledger is on the small disk, with a region held."""
    host = Host(tmp_path, state_dir=disk.folder / "state")
    host.state = disk.folder / "state"
    package = tmp_path / "package.zip"
    package.write_bytes(bitstreams.package())
    host.burn("--file", str(package), "--owner", owner())
    yield host
    host.run("erase", "--owner", owner())


@pytest.fixture
def rig(disk: Disk) -> typing.Iterator[Rig]:
    """A host on the small disk, with a table for hardware."""
    rig = Rig(disk.folder / "rig", [slot(0), slot(1)])
    yield rig
    rig.ledger.close()


def verbs(host: Host) -> list[tuple[str, ...]]:
    """Those that write."""
    (held,) = [region["id"] for region in host.status()["regions"] if region["owner"]]
    package = str(host.folder / "package.zip")
    return [
        ("burn", "--file", package, "--owner", owner(1)),
        ("erase", held, "--owner", owner()),
        ("erase", "--owner", owner()),
        ("quarantine", held),
    ]


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_disk_that_cannot_be_written_is_told_and_everything_stays(
    host: Host, disk: Disk, fault: str
) -> None:
    before, commands = host.status(), verbs(host)
    if fault == "full":
        disk.fill()
    else:
        disk.close_to_writers(True)
    words = {"full": "cannot be written: the disk is full", "read-only": "Read-only file system"}
    for command in commands:
        assert words[fault] in refusal(host.run(*command), 71)
    if fault == "full":
        assert host.status() == before
        disk.empty()
    else:
        disk.close_to_writers(False)
    assert host.status() == before
    assert host.run("erase", "--owner", owner()).returncode == 0


@pytest.mark.parametrize(
    ("moment", "state"),
    [("program", "write"), ("read_back", "write"), ("nodes", "firmware request")],
)
def test_disk_that_is_full_in_the_middle_of_a_burn_leaves_what_the_next_command_undoes(
    rig: Rig, disk: Disk, moment: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.manager.refresh()
    real = getattr(rig.hardware, moment)

    def filling(*arguments: typing.Any) -> typing.Any:
        disk.fill()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rig.hardware, moment, filling)
        with pytest.raises(errors.LedgerUnusable, match="the disk is full"):
            rig.burn(LZO, owner())
    assert rig.states() == [state, "free"]
    with pytest.raises(errors.LedgerUnusable, match="the disk is full"):
        rig.burn(LZO, owner(1))
    disk.empty()
    assert rig.burn(LZO, owner(1))
    assert (sorted(rig.states()), len(rig.hardware.loaded)) == (["free", "programmed"], 1)


@pytest.mark.parametrize("moment", ["clear", "read_back"])
def test_disk_that_is_full_in_the_middle_of_an_erase_leaves_what_the_next_command_finishes(
    rig: Rig, disk: Disk, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    region_id = rig.burn(LZO, owner())
    real = getattr(rig.hardware, moment)

    def filling(*arguments: typing.Any) -> typing.Any:
        disk.fill()
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rig.hardware, moment, filling)
        with pytest.raises(errors.LedgerUnusable, match="the disk is full"):
            rig.manager.erase(region_id, owner())
    assert rig.region(region_id).state == State.ERASING
    disk.empty()
    rig.manager.refresh()
    assert (rig.states(), rig.hardware.loaded) == (["free", "free"], {})


def _burn_within(folder: Path, size: int, answers: typing.Any) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        Rig(folder, [slot(0), slot(1)]).burn(LZO, owner())
    except errors.RegionError as e:
        answers.put((e.code, str(e)))
    else:
        answers.put((0, ""))


@pytest.mark.parametrize("size", [512, 4096, 8192, 20480])
def test_limit_on_the_size_of_files_is_told_and_what_is_written_stays_whole(
    tmp_path: Path, size: int
) -> None:
    answers = _FORK.Queue()
    process = _FORK.Process(target=_burn_within, args=(tmp_path / "rig", size, answers))
    process.start()
    code, words = answers.get(timeout=30)
    process.join()
    assert code == 71
    assert re.search(r"cannot be (read or )?written|cannot be opened|cannot be used", words)
    rig = Rig(tmp_path / "rig", [slot(0), slot(1)])
    rig.manager.refresh()
    assert rig.states() == ["free", "free"]
    rig.ledger.close()


def _used(folder: Path) -> Path:
    """A ledger with some history; the hardware of each new rig is empty."""
    rig = Rig(folder, [slot(0), slot(1), slot(2)])
    for number in range(12):
        rig.burn((LZO, CRC)[number % 2], owner(number % 2))
    rig.ledger.close()
    return folder / "state" / "ledger.sqlite3"


def _all_verbs(folder: Path) -> str:
    """What comes of each verb with a ledger that may be damaged."""
    complaints = ""
    try:
        rig = Rig(folder, [slot(0), slot(1), slot(2)])
    except errors.LedgerUnusable as e:
        return str(e)
    for verb in (
        lambda: rig.manager.regions(),
        lambda: rig.plan(LZO, owner()),
        lambda: rig.burn(LZO, owner()),
        lambda: rig.manager.erase(None, owner()),
        lambda: rig.ledger.events(),
    ):
        try:
            verb()
        except errors.RegionError as e:
            complaints += str(e)
    rig.ledger.close()
    return complaints


@pytest.mark.parametrize("seed", range(60))
def test_damaged_ledger_is_told_or_does_not_matter(tmp_path: Path, seed: int) -> None:
    file = _used(tmp_path / "rig")
    chance = random.Random(seed)
    data = bytearray(file.read_bytes())
    start = chance.randrange(len(data))
    for place in range(start, min(start + chance.choice([1, 4, 64, 2000]), len(data))):
        data[place] = chance.randrange(256)
    file.write_bytes(data)
    complaints = _all_verbs(tmp_path / "rig")
    if "is damaged" in complaints:
        assert file.read_bytes() == bytes(data)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.9])
def test_ledger_that_is_cut_short_is_told_and_left(tmp_path: Path, share: float) -> None:
    file = _used(tmp_path / "rig")
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    assert re.search("is damaged|is not a ledger", _all_verbs(tmp_path / "rig"))
    assert file.read_bytes() == data[: int(len(data) * share)]
