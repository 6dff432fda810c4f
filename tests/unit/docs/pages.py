# SPDX-License-Identifier: Apache-2.0
"""Reads the pages of the documentation: blocks, tables, links, and what is in backquotes."""

import dataclasses
import functools
import re
import typing
from pathlib import Path

ROOT = Path(__file__).parents[3]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"#+ (.*)")
_FENCE = "```"


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of commands or of configuration.

    :ivar mark: the HTML comment right before it; empty where there is none
    """

    page: Path
    line: int
    text: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@functools.cache
def blocks(page: Path) -> list[Block]:
    """The indented and the fenced blocks of a page, in order."""
    found, block, first, fenced, mark = [], list[str](), 0, False, ""
    for number, line in enumerate([*page.read_text().splitlines(), "end"], 1):
        if line.lstrip().startswith(_FENCE):
            fenced = not fenced
            continue
        if fenced or line.startswith("    ") or (block and not line.strip()):
            first = first if block else number
            block.append(line if fenced else line[4:])
            continue
        if block:
            found.append(Block(page, first, "\n".join(block).strip("\n"), mark))
            block, mark = [], ""
        comment = re.fullmatch(r"<!-- (.*) -->", line.strip())
        mark = comment[1] if comment else mark if not line.strip() else ""
    return found


def commands(block: Block) -> list[str]:
    """The lines of a block, continued ones joined, without prompts and comments."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    lines = (re.sub(r"\s+# .*", "", line.strip()) for line in joined.splitlines())
    return [line.removeprefix("$ ") for line in lines if line and not line.startswith("#")]


def prose(page: Path) -> str:
    """A page without its blocks."""
    lines, fenced = [], False
    for line in page.read_text().splitlines():
        if line.lstrip().startswith(_FENCE):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            lines.append(line)
    return "\n".join(lines)


def spans(text: str) -> list[str]:
    """What is in backquotes."""
    return _SPAN.findall(text)


def links(page: Path) -> list[str]:
    """The targets of links."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = (_HEADING.fullmatch(line) for line in prose(page).splitlines())
    names = (re.sub(r"[^\w\- ]", "", heading[1].lower()) for heading in headings if heading)
    return {words.replace(" ", "-") for words in names}


def rows(page: Path, *columns: str) -> typing.Iterator[list[str]]:
    """The rows of each table whose first column's heading begins with one of these words."""
    inside, start = False, True
    for line in prose(page).splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not line.startswith("|"):
            inside, start = False, True
        elif start:
            inside, start = cells[0].startswith(columns), False
        elif inside and set(cells[0]) != {"-"}:
            yield cells
