# SPDX-License-Identifier: Apache-2.0
"""What the matrix makes of Nova's own tests that come to different ends on the two trees."""

import typing

import matrix
from matrix_environment import NOVA_UNIT, Environment, Outcome


def outcome(passed: str = "", failed: str = "", skipped: str = "") -> Outcome:
    return Outcome(*(frozenset(names.split()) for names in (passed, failed, skipped)))


class Shipped(Environment):
    """A tree on which the tests come to this."""

    def __init__(self, stock: Outcome) -> None:
        self.stock = stock

    def nova_tests(self, suite: object, tree: str, only: typing.Collection[str] = ()) -> Outcome:
        chosen = frozenset(only) or self.stock.names
        return Outcome(*(names & chosen for names in (self.stock.passed, self.stock.failed,
                                                      self.stock.skipped)))  # fmt: skip


def differences(stock: Outcome, patched: Outcome, whole: bool) -> list[str]:
    row = matrix.Row("Nova", {})
    return matrix._differences(Shipped(stock), row, NOVA_UNIT, patched, whole)


def test_same_ends_are_no_difference() -> None:
    both = outcome("one", "two", "three")
    assert differences(both, both, whole=True) == []
    assert differences(both, both, whole=False) == []


def test_failure_on_the_patched_tree_alone_is_named() -> None:
    found = differences(outcome("one two"), outcome("two", "one"), whole=False)
    assert found == ["one is passed unpatched, failed patched"]


def test_failure_of_a_test_that_is_skipped_on_the_shipped_tree_is_named() -> None:
    found = differences(outcome(skipped="one"), outcome(failed="one"), whole=False)
    assert found == ["one is skipped unpatched, failed patched"]


def test_whole_run_names_tests_that_are_missing_skipped_or_mended() -> None:
    stock, patched = outcome("one two", "three"), outcome("three", "", "two")
    assert differences(stock, patched, whole=True) == [
        "one is passed unpatched, missing patched",
        "three is failed unpatched, passed patched",
        "two is passed unpatched, skipped patched",
    ]


def test_nothing_runs_again_where_nothing_failed() -> None:
    assert differences(outcome(failed="one"), outcome("one"), whole=False) == []
