# SPDX-License-Identifier: Apache-2.0
"""The hunks of patches/hunks.toml, and how one changes the text of a file of Nova."""

import dataclasses
import pathlib
import re
import tomllib
import typing

PATCHES = pathlib.Path(__file__).resolve().parent.parent / "patches"

Place = typing.Literal["before", "after", "replace"]


class HunkError(Exception):
    """A hunk does not fit the file, or hunks.toml cannot be read."""


@dataclasses.dataclass(frozen=True)
class Hunk:
    """One change of one file.

    :param place: whether ``text`` goes before or after the anchor, or in its place
    :param within: the head of the class or function that the anchor is in; "" for the whole file
    :param times: how often the anchor occurs there
    :param series: first and last series of Nova that it is for
    :param tests: it is for Nova's own tests
    """

    file: str
    place: Place
    anchor: str
    text: str
    within: str
    times: int
    series: tuple[int, int]
    tests: bool

    def serves(self, series: int) -> bool:
        """Whether it is for a series of Nova."""
        return self.series[0] <= series <= self.series[1]

    def change(self, text: str) -> str:
        """The text of the file with the change.

        :raises HunkError: the anchor is not there as often as it has to be
        """
        parts = _cut(text, self.within)
        pattern = re.compile(
            "^" * self.anchor.endswith("\n") + re.escape(self.anchor), re.MULTILINE
        )
        found = sum(len(pattern.findall(part)) for part in parts[1::2])
        if found != self.times:
            where = f"within '{self.within}' of {self.file}" if self.within else f"in {self.file}"
            raise HunkError(
                f"found {found} times {where}, not {self.times}:\n{self.anchor.rstrip()}"
            )
        new = {
            "before": self.text + self.anchor,
            "after": self.anchor + self.text,
            "replace": self.text,
        }[self.place]
        parts[1::2] = [pattern.sub(lambda _match: new, part) for part in parts[1::2]]
        return "".join(parts)


@dataclasses.dataclass(frozen=True)
class Source:
    """All of hunks.toml."""

    headers: tuple[str, str]
    hunks: tuple[Hunk, ...]

    def for_series(self, series: int, tests: bool) -> list[Hunk]:
        """The hunks of one diff, the companion for Nova's tests or the other, in order."""
        return [hunk for hunk in self.hunks if hunk.tests == tests and hunk.serves(series)]


def read(file: pathlib.Path = PATCHES / "hunks.toml") -> Source:
    """Read the one source of the diffs.

    :raises HunkError: a hunk is not as the head of the file says
    """
    document = tomllib.loads(file.read_text())
    return Source(
        (document["header"], document["tests_header"]),
        tuple(_hunk(entry) for entry in document["hunk"]),
    )


def _hunk(entry: dict[str, typing.Any]) -> Hunk:
    known = {"file", "before", "after", "replace", "insert", "with", "within", "times"}
    unknown = entry.keys() - known - {"first", "last", "tests"}
    places: list[Place] = [p for p in typing.get_args(Place) if p in entry]
    if unknown or len(places) != 1:
        raise HunkError(f"hunk with {sorted(unknown) or places or 'no anchor'}: {entry}")
    place = places[0]
    whole_lines = place != "replace" or entry["replace"].endswith("\n")
    text = entry["with" if place == "replace" else "insert"]
    return Hunk(
        file=entry["file"],
        place=place,
        anchor=_lines(entry[place]) if whole_lines else entry[place],
        text=_lines(text) if whole_lines else text,
        within=entry.get("within", ""),
        times=entry.get("times", 1),
        series=(entry.get("first", 0), entry.get("last", 10**6)),
        tests=entry.get("tests", False),
    )


def _lines(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _cut(text: str, head: str) -> list[str]:
    """The text in parts, of which each second one is a class or function with this head."""
    if not head:
        return ["", text]
    parts, position = [], 0
    heads = re.compile(rf"^( *){re.escape(head)}\b.*\n", re.MULTILINE)
    while begin := heads.search(text, position):
        next_one = rf"^ {{0,{len(begin[1])}}}(?:async def|def|class|@)\b"
        end = re.compile(next_one, re.MULTILINE).search(text, begin.end())
        parts += [text[position : begin.start()], text[begin.start() : end and end.start()]]
        position = end.start() if end else len(text)
    return [*parts, text[position:]]
