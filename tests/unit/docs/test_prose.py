# SPDX-License-Identifier: Apache-2.0
"""Headings are noun phrases, sentences are short, and phrases that mislead are not there."""

from pathlib import Path

import pytest

from tests.unit.docs import pages, style

EACH_PAGE = pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)


@EACH_PAGE
def test_headings_are_noun_phrases(page: Path) -> None:
    assert [heading for heading in style.headings(page) if style.is_clause(heading)] == []


@EACH_PAGE
def test_sentences_are_short(page: Path) -> None:
    counted = [(style.length(sentence), sentence) for sentence in style.sentences(page)]
    assert [found for found in counted if found[0] > style.LIMIT] == []


@EACH_PAGE
def test_misleading_phrases_are_not_used(page: Path) -> None:
    found = [(style.faults(sentence), sentence) for sentence in style.sentences(page)]
    assert [fault for fault in found if fault[0]] == []


@pytest.mark.parametrize(
    "heading",
    [
        *("What is where", "How it is made", "Go on", "What this is not yet", "Which releases"),
        *("When it does not work", "Apply, look, take back", "When Nova is upgraded", "Up"),
        *("Back to a stock Nova", "From release to release", "Containers that somebody removed"),
        *("fpga-manage check: do ledger and database agree?", "Reading what strangers made"),
        *("The cores that ship", "Make one, upload it", "Look", "Patched beside stock services"),
        *("Tried on", "Open", "Beside Cyborg", "What becomes of a region"),
    ],
)
def test_clause_is_not_a_heading(heading: str) -> None:
    assert style.is_clause(heading)


@pytest.mark.parametrize(
    "heading",
    [
        *("Troubleshooting", "Known limitations", "Options in `[docker]`", "The published status"),
        *("Compute host with FPGA", "nova-manage placement", "1. Every host", "`is` as a name"),
        *("Removal of the columns", "Upgrade of Nova", "Status as JSON", "Placement under load"),
    ],
)
def test_noun_phrase_is_a_heading(heading: str) -> None:
    assert not style.is_clause(heading)


@pytest.mark.parametrize(
    "text",
    [
        "What cannot get better is not tried again.",
        "Why a region is in quarantine, `quarantine` tells.",
        "The word 'no' is none of them.",
        "A flavor goes before the image.",
        "`burn` ends with 31 then.",
        "32 is of `reconcile` alone.",
        "Whoever may upload an image then gets a region.",
        "If the columns shall go, too, run it.",
        "Turn `request_placement` on when all computes report.",
    ],
)
def test_misleading_phrase_is_found(text: str, tmp_path: Path) -> None:
    page = _page(tmp_path, text)
    assert [fault for sentence in style.sentences(page) for fault in style.faults(sentence)]


def test_person_may_tell(tmp_path: Path) -> None:
    (sentence,) = style.sentences(_page(tmp_path, "If it fails, the operator tells you, so ask."))
    assert style.faults(sentence) == []


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("One two three. Four `five six`! Seven\neight; nine.", [3, 2, 2, 1]),
        ("- one two\n  three\n- four\n\n1. five", [3, 1, 1]),
        ("| one | two `a b` |\n|---|---|\n| three four | [five](six.md) |", [1, 2, 2, 1]),
        ("Three are known: one, two - and three.", [7]),
        ("It is known: the host has one.", [3, 4]),
        ("See it: Nova asks.", [2, 2]),
        ("    code is not prose\n\n```\nnor this\n```\n\n<!-- nor that -->\nOne.", [1]),
        ("(One two.) Three e.g. four **five.** Six.", [2, 4, 1]),
    ],
)
def test_sentences_are_counted(text: str, lengths: list[int], tmp_path: Path) -> None:
    found = style.sentences(_page(tmp_path, text))
    assert [n for n in map(style.length, found) if n] == lengths


def _page(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(f"# Page\n\n{text}\n")
    return page
