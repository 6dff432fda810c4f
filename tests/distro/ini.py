#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sets options where a file of configuration has their sections, as an operator's editor would.

    ini.py FILE < LINES

Debian's packages stumble over a second section of the same name.
"""

import pathlib
import re
import sys

_OPTION = re.compile(r"([\w.-]+)\s*=")


def put(text: str, lines: str) -> str:
    """The text with the options of the lines, in place of what it had for them."""
    for section, options in _sections(lines).items():
        text = _put_section(text, section, options)
    return text


def _sections(lines: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        if line.startswith("["):
            section = found.setdefault(line, [])
        else:
            section.append(line)
    return found


def _put_section(text: str, section: str, options: list[str]) -> str:
    names = {match[1] for option in options if (match := _OPTION.match(option))}
    lines, inside, done = list[str](), False, False
    for line in text.splitlines():
        if line.startswith("["):
            inside = line.strip() == section
        option = _OPTION.match(line)
        if inside and option and option[1] in names:
            continue
        lines.append(line)
        if inside and not done and line.startswith("["):
            lines += options
            done = True
    if not done:
        lines += ["", section, *options]
    return "\n".join(lines).lstrip("\n") + "\n"


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    file.write_text(put(file.read_text(), sys.stdin.read()))
