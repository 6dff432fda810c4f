# SPDX-License-Identifier: Apache-2.0
"""Downloads that are kept: by digest, within a bound, whole or not at all."""

import hashlib
import multiprocessing
import os
import signal
import stat
import threading
import time
import typing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.image import cache
from tests.support.host import wait_until

LIMIT = 1000


def digest(data: bytes) -> cache.Digest:
    return cache.Digest("sha256", hashlib.sha256(data).hexdigest())


def obtain(store: cache.Cache, data: bytes, waiting: float = 5) -> bool:
    """Have data from the cache; whether it was downloaded for that."""
    downloads = []

    def download(file: typing.BinaryIO) -> None:
        downloads.append(data)
        file.write(data)

    with store.obtain(digest(data), download, Deadline(waiting)) as file:
        assert file.read() == data
    return bool(downloads)


def contents(store: cache.Cache) -> list[Path]:
    return sorted(store.folder.glob("sha*"))


@pytest.fixture
def store(tmp_path: Path) -> cache.Cache:
    return cache.Cache(tmp_path / "cache", LIMIT)


def test_what_is_had_again_is_not_downloaded_again(store: cache.Cache) -> None:
    assert [obtain(store, b"one"), obtain(store, b"one")] == [True, False]


def test_folder_and_files_are_for_their_owner_alone(store: cache.Cache) -> None:
    obtain(store, b"one")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in store.folder.rglob("*")}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


@pytest.mark.parametrize("damage", [b"", b"on", b"two", b"onetwo"])
def test_damaged_file_is_downloaded_again(store: cache.Cache, damage: bytes) -> None:
    obtain(store, b"one")
    (path,) = contents(store)
    path.write_bytes(damage)
    assert obtain(store, b"one")
    assert not obtain(store, b"one")


def test_link_in_the_place_of_a_file_is_not_followed(store: cache.Cache, tmp_path: Path) -> None:
    obtain(store, b"one")
    (path,) = contents(store)
    other = tmp_path / "other"
    other.write_bytes(b"one")
    path.unlink()
    path.symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        obtain(store, b"one")


def test_what_was_not_used_for_longest_makes_room(store: cache.Cache) -> None:
    old, used, new = bytes(400), b"1" * 400, b"2" * 400
    obtain(store, old)
    obtain(store, used)
    for age, data in ((9, old), (10, used)):
        path = store.folder / f"sha256-{digest(data).value}"
        os.utime(path, (time.time() - age, time.time() - age))
    obtain(store, used)
    obtain(store, new)
    assert [obtain(store, data) for data in (used, new, old)] == [False, False, True]


def test_sum_of_sizes_stays_within_the_limit(store: cache.Cache) -> None:
    for size in (300, 500, 999, 1, 10, 1000):
        obtain(store, bytes(size))
        assert sum(path.stat().st_size for path in contents(store)) <= LIMIT


def test_what_is_larger_than_the_limit_is_had_and_not_kept(store: cache.Cache) -> None:
    assert [obtain(store, bytes(LIMIT + 1)) for _ in range(2)] == [True, True]
    assert contents(store) == []


def test_limit_of_zero_keeps_nothing(tmp_path: Path) -> None:
    store = cache.Cache(tmp_path / "cache", 0)
    assert [obtain(store, b"one"), obtain(store, b"one")] == [True, True]
    assert list(store.folder.iterdir()) == []


def test_failed_download_leaves_nothing(store: cache.Cache) -> None:
    def download(file: typing.BinaryIO) -> None:
        file.write(b"on")
        raise errors.ImageUnavailable("gone")

    with pytest.raises(errors.ImageUnavailable):
        store.obtain(digest(b"one"), download, Deadline(1))
    assert contents(store) == []


def slowly(folder: Path, data: bytes, mark: Path, may_end: Event) -> None:
    """In a process of its own: a download that notes that it was made, and ends when it may."""

    def download(file: typing.BinaryIO) -> None:
        file.write(data[:1])
        file.flush()
        with mark.open("a") as note:
            note.write("x")
        assert may_end.wait(60)
        file.write(data[1:])

    with cache.Cache(folder, LIMIT).obtain(digest(data), download, Deadline(30)) as file:
        assert file.read() == data


def start(*arguments: typing.Any) -> multiprocessing.Process:
    process = multiprocessing.Process(target=slowly, args=arguments)
    process.start()
    return process


def test_killed_download_is_made_anew_and_cleaned_up(store: cache.Cache, tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    process = start(store.folder, b"one", mark, multiprocessing.Event())
    wait_until(mark.exists)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [path.suffix for path in contents(store)] == [".part"]
    obtain(store, b"two")
    assert [path.name for path in contents(store)] == [f"sha256-{digest(b'two').value}"]
    assert obtain(store, b"one")


def test_download_in_progress_is_not_cleaned_up(store: cache.Cache, tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    may_end = multiprocessing.Event()
    process = start(store.folder, b"one", mark, may_end)
    wait_until(mark.exists)
    obtain(store, b"two")
    may_end.set()
    process.join()
    assert process.exitcode == 0
    assert not obtain(store, b"one")


def test_processes_that_want_the_same_download_it_once(store: cache.Cache, tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    may_end = multiprocessing.Event()
    processes = [start(store.folder, b"one", mark, may_end) for _ in range(4)]
    wait_until(mark.exists)
    # What the others do until they wait is seen nowhere: half a second is for that.
    threading.Timer(0.5, may_end.set).start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert mark.read_text() == "x"


def test_waiting_for_another_download_ends_in_time(store: cache.Cache, tmp_path: Path) -> None:
    mark = tmp_path / "begun"
    process = start(store.folder, b"one", mark, multiprocessing.Event())
    wait_until(mark.exists)
    try:
        with pytest.raises(errors.TimedOut, match="fetch_timeout"):
            obtain(store, b"one", 0.2)
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [("md5", "0" * 32), ("sha256", "0" * 63), ("sha256", "g" * 64), ("sha256", "../" * 21 + "0")],
)
def test_digest_that_cannot_be_one_is_not_proper(algorithm: str, value: str) -> None:
    assert not cache.Digest(algorithm, value).proper
