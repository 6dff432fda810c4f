# SPDX-License-Identifier: Apache-2.0
"""Reads commands and lines of configuration in a page of docs/, to follow it to the letter."""

import dataclasses
import pathlib
import re
import typing

_HEADING = re.compile(r"#+ (.*)")
_FILE = re.compile(r"`(/etc/[^`]+)`")


@dataclasses.dataclass
class Block:
    """An indented block; ``file`` is where its lines go, None where they are commands."""

    text: str
    file: str | None


def blocks(page: pathlib.Path, section: str) -> list[Block]:
    """The blocks of a section, in order.

    A block that begins with ``[`` is configuration for the file that the words before name last.

    :raises LookupError: there is no such section, it has no blocks, or no file is named
    """
    found = [*_found(page.read_text().splitlines(), section)]
    if not found:
        raise LookupError(f"{page} has no commands in a section {section!r}")
    return found


def _found(lines: list[str], section: str) -> typing.Iterator[Block]:
    inside, words, block = False, "", list[str]()
    for line in [*lines, "# end"]:
        if block and line.strip() and not line.startswith("    "):
            yield _block(block, words)
            block, words = [], ""
        if heading := _HEADING.fullmatch(line):
            inside, words = heading[1] == section, ""
        elif inside and (line.startswith("    ") or block):
            block.append(line[4:])
        elif inside:
            words += f"{line}\n"


def _block(lines: list[str], words: str) -> Block:
    text = "\n".join(lines).strip() + "\n"
    if not text.startswith("["):
        return Block(text, None)
    files = _FILE.findall(words)
    if not files:
        raise LookupError(f"no file is named for:\n{text}")
    return Block(text, files[-1])
