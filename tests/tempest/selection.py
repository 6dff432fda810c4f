# SPDX-License-Identifier: Apache-2.0
"""The tests of tempest that run against the demo, and those that do not, each with its reason."""

import dataclasses
import pathlib
import re
import tomllib

#: Tests by the start of their names; tempest marks a few as smoke tests.
SUITES = {
    "all": r"^tempest\.(api\.compute|scenario)\.",
    "smoke": r"^tempest\.(api\.compute|scenario)\..*\[.*\bsmoke\b",
}

#: Tests that may be excluded.
MOST = 25

_FILE = pathlib.Path(__file__).with_name("exclusions.toml")


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """A test that does not run.

    :ivar name: the whole name, without the tags
    """

    name: str
    reason: str


def exclusions(file: pathlib.Path = _FILE) -> list[Exclusion]:
    """What a file excludes."""
    return [Exclusion(**one) for one in tomllib.loads(file.read_text())["tests"]]


def exclude_list(excluded: list[Exclusion]) -> str:
    """A file of stestr: a pattern and its reason in each line."""
    return "".join(rf"^{re.escape(one.name)}(\[|$)  # {one.reason}" + "\n" for one in excluded)
