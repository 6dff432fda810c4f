# SPDX-License-Identifier: Apache-2.0
"""Each test of tempest that does not run has a reason, and few are excluded."""

import re
from pathlib import Path

from tests.tempest import selection
from tests.tempest.selection import Exclusion

NAME = "tempest.api.compute.test_versions.TestVersions.test_list_api_versions"


def test_excluded_tests_are_few() -> None:
    assert 0 < len(selection.exclusions()) <= selection.MOST


def test_every_exclusion_has_a_reason_in_one_line() -> None:
    reasons = [one.reason for one in selection.exclusions()]
    assert [reason for reason in reasons if len(reason) < 20 or "\n" in reason] == []


def test_no_test_is_excluded_twice() -> None:
    names = [one.name for one in selection.exclusions()]
    assert sorted(set(names)) == sorted(names)


def test_every_excluded_test_would_run_otherwise() -> None:
    names = [one.name for one in selection.exclusions()]
    assert [name for name in names if not re.match(selection.SUITES["all"], name)] == []


def test_file_has_names_with_reasons(tmp_path: Path) -> None:
    file = tmp_path / "exclusions.toml"
    file.write_text(f'[[tests]]\nname = "{NAME}"\nreason = "R"\n')
    assert selection.exclusions(file) == [Exclusion(NAME, "R")]


def test_name_excludes_that_test_alone_whatever_its_tags() -> None:
    line = selection.exclude_list([Exclusion(NAME, "R")])
    pattern, reason = line.removesuffix("\n").split("  # ")
    assert reason == "R"
    assert re.search(pattern, NAME) and re.search(pattern, f"{NAME}[id-6c0a0990,smoke]")
    assert not re.search(pattern, f"{NAME}_of_others[id-6c0a0990]")


def test_list_for_stestr_has_a_line_for_each_test() -> None:
    text = selection.exclude_list([Exclusion("one", "first"), Exclusion("two", "second")])
    assert [line.split("  # ")[1] for line in text.splitlines()] == ["first", "second"]
