# SPDX-License-Identifier: Apache-2.0
"""CHANGELOG.md has every release note as it is, and nothing else."""

import pytest

pytest.importorskip("reno")

import changelog

NOTES: list[changelog.Note] = [
    {
        "prelude": "Regions.\n",
        "features": ["A flavor names ``a``.\n\nOr\n``b``.\n", "A second one."],
    },
    {"fixes": ["A third one."]},
]
PAGE = changelog.page([("0.3.0", NOTES[:1]), ("0.2.0", NOTES[1:])])


def test_page_has_all_release_notes() -> None:
    assert changelog.main(["--check"]) == 0, "run 'make changelog'"


def test_entries_are_below_their_release_and_section() -> None:
    assert "## 0.3.0\n\n### Prelude\n\n- Regions.\n\n### New Features\n\n- A flavor" in PAGE
    assert PAGE.endswith("## 0.2.0\n\n### Bug Fixes\n\n- A third one.\n")


def test_entry_is_written_as_markdown() -> None:
    assert "- A flavor names `a`.\n\n  Or\n  `b`.\n\n- A second one.\n" in PAGE


def test_page_of_the_same_notes_is_not_stale() -> None:
    assert changelog.stale(PAGE, NOTES) == (set(), set())


def test_release_of_a_note_does_not_count() -> None:
    assert changelog.stale(changelog.page([("1.0.0", NOTES)]), NOTES) == (set(), set())


def test_note_that_is_not_in_the_page_is_missing() -> None:
    assert changelog.stale(PAGE, [*NOTES, {"fixes": ["New."]}]) == ({"- New."}, set())


def test_entry_whose_note_was_changed_is_no_longer_a_note() -> None:
    assert changelog.stale(PAGE, [NOTES[0], {"fixes": ["Another one."]}]) == (
        {"- Another one."},
        {"- A third one."},
    )
