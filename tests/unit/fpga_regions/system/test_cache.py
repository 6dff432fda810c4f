# SPDX-License-Identifier: Apache-2.0
"""What is kept, for how long, and who can see it."""

import os
import pathlib
import stat

import pytest

from fpga_regions.system.cache import Cache, key


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
    with cache.put("a.v", b"one") as file:
        assert file.read() == b"one"
    assert content(cache, "a.v") == b"one"


def test_what_was_never_put_is_not_there(cache: Cache) -> None:
    assert content(cache, "a.v") is None


def test_folder_is_closed_to_others_and_its_files_may_be_run(
    cache: Cache, tmp_path: pathlib.Path
) -> None:
    put(cache, "a.v", b"one")
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700
    (path,) = (tmp_path / "models").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o555


def test_what_was_not_used_for_longest_goes_first(cache: Cache, tmp_path: pathlib.Path) -> None:
    for age, name in ((30, "a"), (20, "b"), (10, "c")):
        put(cache, f"{name}.v", b"123")
        (path,) = (tmp_path / "models").glob(f"{name}-*")
        past = path.stat().st_mtime - age
        os.utime(path, (past, past))
    content(cache, "a.v")
    put(cache, "d.v", b"123")
    assert sorted(path.name[0] for path in (tmp_path / "models").iterdir()) == ["a", "c", "d"]


def test_file_stays_usable_when_it_is_removed(cache: Cache) -> None:
    put(cache, "a.v", b"123456")
    file = cache.get("a.v")
    assert file is not None
    with file:
        put(cache, "b.v", b"1234567890")
        assert content(cache, "a.v") is None
        assert file.read() == b"123456"


@pytest.mark.parametrize("damage", [b"", b"12345", b"1234567"], ids=["empty", "cut", "more"])
def test_file_that_is_not_what_was_put_is_not_given_and_goes(
    cache: Cache, tmp_path: pathlib.Path, damage: bytes
) -> None:
    put(cache, "a.v", b"123456")
    (path,) = (tmp_path / "models").iterdir()
    path.chmod(0o755)
    path.write_bytes(damage)
    assert content(cache, "a.v") is None
    assert list((tmp_path / "models").iterdir()) == []


def test_later_content_of_a_name_takes_the_place_of_the_earlier(
    cache: Cache, tmp_path: pathlib.Path
) -> None:
    put(cache, "a.v", b"one")
    put(cache, "a.v", b"two")
    assert content(cache, "a.v") == b"two"
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_removed_content_is_not_given_any_more(cache: Cache) -> None:
    put(cache, "a.v", b"one")
    put(cache, "a.v.more", b"two")
    cache.remove("a.v")
    assert (content(cache, "a.v"), content(cache, "a.v.more")) == (None, b"two")


def test_what_is_larger_than_the_bound_is_given_and_not_kept(cache: Cache) -> None:
    with cache.put("a.v", bytes(11)) as file:
        assert len(file.read()) == 11
    assert content(cache, "a.v") is None


def test_keys_differ_wherever_their_parts_do() -> None:
    assert len({key("ab", "c"), key("a", "bc"), key("abc"), key("ab", "c", "")}) == 4
