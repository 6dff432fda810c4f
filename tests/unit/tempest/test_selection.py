# SPDX-License-Identifier: Apache-2.0
"""Each test of tempest that does not run has a reason, and few are named one by one."""

import re
from pathlib import Path

import pytest

from tests.tempest import selection
from tests.tempest.selection import Exclusion

NAME = "tempest.api.compute.test_versions.TestVersions.test_list_api_versions"


def test_single_tests_that_are_excluded_are_few() -> None:
    assert 0 < len(selection.tests()) <= selection.MOST


@pytest.mark.parametrize("kind", [selection.features, selection.tests])
def test_every_exclusion_has_a_reason_of_its_own_line(kind: type) -> None:
    reasons = [one.reason for one in kind()]
    assert [reason for reason in reasons if len(reason) < 20 or "\n" in reason] == []


def test_no_pattern_occurs_twice() -> None:
    patterns = [one.pattern for one in selection.features() + selection.tests()]
    assert sorted(set(patterns)) == sorted(patterns)


def test_every_pattern_is_within_what_runs() -> None:
    names = [one.pattern.replace("\\", "").lstrip("^") for one in selection.tests()]
    assert [name for name in names if not re.match(selection.SUITES["all"], name)] == []


def test_name_excludes_that_test_whatever_its_tags(tmp_path: Path) -> None:
    file = tmp_path / "exclusions.toml"
    file.write_text(f'features = []\n[[tests]]\nname = "{NAME}"\nreason = "R"\n')
    ((pattern, _),) = [(one.pattern, one.reason) for one in selection.tests(file)]
    assert re.search(pattern, NAME) and re.search(pattern, f"{NAME}[id-6c0a0990,smoke]")
    assert not re.search(pattern, f"{NAME}_of_others[id-6c0a0990]")


def test_list_for_stestr_has_the_reason_beside_the_pattern() -> None:
    text = selection.exclude_list([Exclusion("^one$", "first"), Exclusion("^two$", "second")])
    assert text == "^one$  # first\n^two$  # second\n"
