# SPDX-License-Identifier: Apache-2.0
"""The table of releases, the diffs in patches/, their one source and the pinned Nova agree."""

import collections
import itertools
import re
import tomllib
import typing
from pathlib import Path

import hunks
import nova_wheels
import pytest

SOURCE = hunks.read()
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
    text = (ROOT / "requirements" / lock).read_text()
    pinned = re.findall(r"^nova==(\S+) \\$", text, re.MULTILINE)
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
    for before, after in itertools.chain.from_iterable(part["files"].values()):
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in (before, after))
        assert before != after


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][0])
def test_only_the_companion_touches_novas_tests(release: dict[str, typing.Any]) -> None:
    assert not any(name.startswith("tests/") for name in release["diff"]["files"])
    assert all(name.startswith("tests/") for name in release["tests"]["files"])


def _lines(part: dict[str, typing.Any], sign: str) -> "collections.Counter[str]":
    body = _text(part)[_text(part).index("\n--- a/") :]
    changed = re.findall(rf"^{re.escape(sign)}(?!\{sign}{{2}} [ab]/)(.*)$", body, re.MULTILINE)
    return collections.Counter(changed)


def _canonical(part: dict[str, typing.Any], tests: bool) -> list[hunks.Hunk]:
    return SOURCE.for_series(nova_wheels.series_of(part["file"].removeprefix("nova-")), tests)


@pytest.mark.parametrize("tests", [False, True])
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][-1])
def test_diff_inserts_what_the_source_says_and_no_more(
    release: dict[str, typing.Any], tests: bool
) -> None:
    part = release["tests" if tests else "diff"]
    expected = collections.Counter(
        line
        for hunk in _canonical(part, tests)
        if hunk.place != "replace"
        for line in hunk.text.splitlines() * hunk.times
    )
    inserted = _lines(part, "+")
    assert not expected - inserted
    replaced = inserted - expected
    assert replaced.total() == _lines(part, "-").total()
    new = [hunk for hunk in _canonical(part, tests) if hunk.place == "replace"]
    for line in replaced:
        assert any(line in hunk.text or hunk.text in line for hunk in new)


@pytest.mark.parametrize("tests", [False, True])
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][-1])
def test_diff_begins_with_the_header_of_the_source(
    release: dict[str, typing.Any], tests: bool
) -> None:
    part, version = release["tests" if tests else "diff"], release["versions"][-1]
    series = nova_wheels.name_of(nova_wheels.series_of(version))
    header = SOURCE.headers[tests].format(version=version, series=series, file=part["file"])
    assert _text(part).startswith(header.lstrip("\n") + "--- a/")


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][-1])
def test_diff_is_named_for_the_newest_release_that_it_serves(
    release: dict[str, typing.Any],
) -> None:
    newest = max(release["versions"], key=nova_wheels.order_of)
    assert release["diff"]["file"] == f"nova-{newest}.patch"
    assert release["tests"]["file"] == f"nova-{newest}-tests.patch"


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release["versions"][-1])
def test_diff_inserts_seventy_lines_at_most(release: dict[str, typing.Any]) -> None:
    assert _lines(release["diff"], "+").total() <= 70


@pytest.mark.parametrize("version", ["26.2.2", "29.0.1", "29.2.0", "31.0.0"])
def test_release_of_a_distribution_has_a_diff(version: str) -> None:
    assert version in [v for release in RELEASES for v in release["versions"]]
