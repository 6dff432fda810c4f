# SPDX-License-Identifier: Apache-2.0
"""The table of releases, the diffs in patches/ and the pinned Nova agree."""

import re
import tomllib
import typing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RELEASES = tomllib.loads((ROOT / "patches/releases.toml").read_text())["release"]
PARTS = [release[part] for release in RELEASES for part in ("diff", "tests")]


def _text(part: dict[str, typing.Any]) -> str:
    return ROOT.joinpath("patches", part["file"]).read_text()


def _names(part: dict[str, typing.Any], sign: str) -> list[str]:
    return re.findall(rf"^{re.escape(sign)} (\S+)$", _text(part), re.MULTILINE)


def test_every_diff_is_in_the_table_and_none_is_in_it_twice() -> None:
    files = sorted(path.name for path in (ROOT / "patches").glob("*.patch"))
    assert sorted(part["file"] for part in PARTS) == files


def test_no_release_is_served_by_two_diffs() -> None:
    versions = [version for release in RELEASES for version in release["versions"]]
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize("lock", ["test.txt", "cloud.txt"])
def test_pinned_nova_has_a_diff(lock: str) -> None:
    pinned = re.findall(r"^nova==(\S+)$", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    assert len(pinned) == 1
    assert pinned[0] in [version for release in RELEASES for version in release["versions"]]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["file"])
def test_table_names_the_files_of_the_diff(part: dict[str, typing.Any]) -> None:
    assert sorted(part["files"]) == sorted(n.removeprefix("b/") for n in _names(part, "+++"))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["file"])
def test_diff_changes_files_and_neither_adds_nor_removes_any(part: dict[str, typing.Any]) -> None:
    assert [n.removeprefix("a/") for n in _names(part, "---")] == [
        n.removeprefix("b/") for n in _names(part, "+++")
    ]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part["file"])
def test_digests_are_such_and_differ(part: dict[str, typing.Any]) -> None:
    for before, after in part["files"].values():
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in (before, after))
        assert before != after


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][0])
def test_only_the_companion_touches_novas_tests(release: dict[str, typing.Any]) -> None:
    assert not any(name.startswith("tests/") for name in release["diff"]["files"])
    assert all(name.startswith("tests/") for name in release["tests"]["files"])
