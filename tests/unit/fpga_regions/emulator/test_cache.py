# SPDX-License-Identifier: Apache-2.0
"""What is kept, for how long, and who can see it."""

import os
import pathlib
import stat

import pytest

from fpga_regions.emulator.cache import Cache, key


@pytest.fixture
def cache(tmp_path: pathlib.Path) -> Cache:
    """A cache with room for ten bytes."""
    return Cache(tmp_path / "models", 10)


def put(cache: Cache, name: str, content: bytes) -> None:
    """Keep something, and make it older than what comes next."""
    cache.put(name, content).close()


def content(cache: Cache, name: str) -> bytes | None:
    """What is kept under a name."""
    file = cache.get(name)
    if file is None:
        return None
    with file:
        return file.read()


def test_what_was_put_is_got(cache: Cache) -> None:
    with cache.put("a", b"one") as file:
        assert file.read() == b"one"
    assert content(cache, "a") == b"one"


def test_what_was_never_put_is_not_there(cache: Cache) -> None:
    assert content(cache, "a") is None


def test_folder_is_closed_to_others_and_its_files_may_be_run(
    cache: Cache, tmp_path: pathlib.Path
) -> None:
    put(cache, "a", b"one")
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "models" / "a").stat().st_mode) == 0o555


def test_what_was_not_used_for_longest_goes_first(cache: Cache, tmp_path: pathlib.Path) -> None:
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        put(cache, name, b"123")
        past = (tmp_path / "models" / name).stat().st_mtime - age
        os.utime(tmp_path / "models" / name, (past, past))
    content(cache, "a")
    put(cache, "d", b"123")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["a", "c", "d"]


def test_file_stays_usable_when_it_is_removed(cache: Cache) -> None:
    put(cache, "a", b"123456")
    file = cache.get("a")
    assert file is not None
    with file:
        put(cache, "b", b"1234567890")
        assert content(cache, "a") is None
        assert file.read() == b"123456"


def test_what_is_larger_than_the_bound_is_given_and_not_kept(cache: Cache) -> None:
    with cache.put("a", bytes(11)) as file:
        assert len(file.read()) == 11
    assert content(cache, "a") is None


def test_keys_differ_wherever_their_parts_do() -> None:
    assert len({key("ab", "c"), key("a", "bc"), key("abc"), key("ab", "c", "")}) == 4
