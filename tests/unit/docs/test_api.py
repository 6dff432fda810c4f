# SPDX-License-Identifier: Apache-2.0
"""The page of the API has each route and each failure, as the code has them."""

import re

from fpga_api import errors, handlers, openapi
from fpga_api.policies import list_rules
from fpga_api.routing import Route
from tests.unit.docs import pages

PAGE = pages.ROOT / "docs/api.md"
#: The failures that the page has once, for all routes.
COMMON = openapi.statuses(Route("GET", "/", lambda _request: (204, None), "", rule="r", answers={}))


def _lines(heading: str) -> list[str]:
    """The rows of the table below a heading."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows
    return rows


def _row(route: Route) -> str:
    query = ", ".join(f"`{name}`" for name in route.query["properties"])
    statuses = sorted({*route.answers, *(openapi.statuses(route) - COMMON)})
    rule = f"`{route.rule}`" if route.rule else "none"
    path = re.sub(r"<(\w+)>", lambda name: name[1].upper(), route.path)
    return f"| `{route.method} {path}` | {query} | {', '.join(map(str, statuses))} | {rule} |"


def _path(row: str) -> list[str]:
    return row.replace("`", "").split()[2:0:-1]


def _kinds(kind: type[errors.ApiError]) -> list[type[errors.ApiError]]:
    # Others are special cases of these, with the same codes.
    children = [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return [one for child in children for one in (child, *_kinds(child))]


def test_page_has_each_route() -> None:
    assert _lines("Routes") == sorted(map(_row, handlers.list_routes()), key=_path)


def test_page_has_each_failure() -> None:
    kinds = sorted(_kinds(errors.ApiError), key=lambda kind: (kind.status, kind.code))
    assert _lines("Failures") == [
        f"| `{kind.code}` | {kind.status} | {(kind.__doc__ or '').splitlines()[0]} |"
        for kind in kinds
    ]


def test_page_has_each_rule() -> None:
    assert _lines("Policy") == [
        f"| `{rule.name}` | `{rule.check_str}` |"
        for rule in sorted(list_rules(), key=lambda r: r.name)
    ]
