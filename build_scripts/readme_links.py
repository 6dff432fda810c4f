#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rewrites the links of README.md for a reader who has no checkout, such as PyPI's page.

    readme_links.py README.md pyproject.toml

A relative link leads nowhere there. If pyproject.toml has `Files` in `[project.urls]` (the address
under which the files of the repository are shown, with a slash at its end), the link becomes
absolute. Otherwise it becomes text: its words, and the path of the file; a picture is left out.
"""

import re
import sys
import tomllib
import urllib.parse
from pathlib import Path

#: A link without a scheme, and not to a heading of the page itself.
_RELATIVE = re.compile(r"(!?)\[([^\]]+)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def rewritten(text: str, base: str | None) -> str:
    """A page whose links are absolute or, without a base, text."""

    def link(found: re.Match[str]) -> str:
        picture, words, path, anchor = found[1], found[2], found[3], found[4] or ""
        if base:
            return f"{picture}[{words}]({urllib.parse.urljoin(base, path)}{anchor})"
        if picture:
            return ""
        return words if words == path else f"{words} (`{path}`)"

    return _RELATIVE.sub(link, text)


def main(readme: Path, project: Path) -> None:
    """Rewrite a file in its place."""
    urls = tomllib.loads(project.read_text())["project"].get("urls", {})
    readme.write_text(rewritten(readme.read_text(), urls.get("Files")))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
