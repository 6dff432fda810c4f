# SPDX-License-Identifier: Apache-2.0
"""Renders a walk on the demo cloud as a picture of the documentation.

recording.py CAST SVG TITLE

CAST is a file of asciinema, version 2. The picture leaves out what comes before the walk, the
checks, and the tables of the client.
"""

import io
import json
import pathlib
import re
import sys

from rich.console import Console
from rich.text import Text

_COLUMNS = 100

#: The walk, up to its figures, and the lines of it that are left out.
_WALK = re.compile(r"^== .*?(?=\n\n== Figures)", re.MULTILINE | re.DOTALL)
_LEFT_OUT = re.compile(r"^(  ok:|[|+]).*\n?", re.MULTILINE)

_STYLES = {r"(?m)^== .*$": "bold cyan", r"(?m)^\$ .*$": "bold"}


def main(arguments: list[str]) -> int:
    """Render the recording; what the process exits with."""
    if len(arguments) != 3:
        print("usage: recording.py CAST SVG TITLE", file=sys.stderr)
        return 2
    cast, picture = map(pathlib.Path, arguments[:2])
    walk = walk_of(cast.read_text())
    if walk is None:
        print(f"recording.py: {cast} has no walk; did it fail?", file=sys.stderr)
        return 1
    text = Text(walk, no_wrap=True, overflow="ellipsis")
    for pattern, style in _STYLES.items():
        text.highlight_regex(pattern, style)
    console = Console(record=True, width=_COLUMNS, file=io.StringIO())
    console.print(text)
    console.save_svg(str(picture), title=arguments[2])
    return 0


def walk_of(cast: str) -> str | None:
    """What the walk printed, without checks and tables; None where the recording has no walk."""
    _header, *events = map(json.loads, cast.splitlines())
    output = "".join(data for _, kind, data in events if kind == "o").replace("\r\n", "\n")
    walk = _WALK.search(output)
    return _LEFT_OUT.sub("", walk[0]).rstrip() if walk else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
