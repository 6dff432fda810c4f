# SPDX-License-Identifier: Apache-2.0
"""The tests of tempest that run against the demo, and those that do not, each with its reason."""

import dataclasses
import pathlib
import re
import tomllib

#: Tests by the start of their names.
SUITES = {
    "all": r"^tempest\.(api\.compute|scenario)\.",
    "smoke": r"^tempest\.(api\.compute|scenario)\..*\[.*\bsmoke\b",
}

#: Single tests that may be excluded.
MOST = 25

_FILE = pathlib.Path(__file__).with_name("exclusions.toml")


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """Tests that do not run.

    :ivar pattern: of names, as stestr has it
    """

    pattern: str
    reason: str


def features(file: pathlib.Path = _FILE) -> list[Exclusion]:
    """Features that are refused by name, or that the demo does not have."""
    return [Exclusion(one["pattern"], one["reason"]) for one in _read(file)["features"]]


def tests(file: pathlib.Path = _FILE) -> list[Exclusion]:
    """Single tests; their names are whole."""
    return [
        Exclusion(rf"^{re.escape(one['name'])}(\[|$)", one["reason"])
        for one in _read(file)["tests"]
    ]


def exclude_list(exclusions: list[Exclusion]) -> str:
    """A file of stestr: a pattern and its reason in each line."""
    return "".join(f"{one.pattern}  # {one.reason}\n" for one in exclusions)


def _read(file: pathlib.Path) -> dict[str, list[dict[str, str]]]:
    return tomllib.loads(file.read_text())
