# SPDX-License-Identifier: Apache-2.0
"""Lists in pages: `limit` and `marker` of the query, and the address of the next page."""

import typing
import urllib.parse

Item = typing.Mapping[str, typing.Any]


def page(
    items: typing.Iterable[Item], path: str, query: typing.Mapping[str, typing.Any], most: int
) -> tuple[list[Item], str | None]:
    """The page that a query asks for, and the address of the next one; None on the last page.

    A page may be longer than its limit by items of one id, because a marker names an id alone.

    :param items: sorted by ``id``
    :param query: its filters stay in the address
    :param most: items that the operator allows
    """
    limit, marker = min(query.get("limit", most), most), query.get("marker", "")
    found: list[Item] = []
    for item in items:
        if item["id"] <= marker:
            continue
        if len(found) >= limit and item["id"] != found[-1]["id"]:
            return found, _next(found, path, query)
        found.append(item)
    return found, None


def cut(
    items: list[Item], path: str, query: typing.Mapping[str, typing.Any], limit: int
) -> tuple[list[Item], str | None]:
    """The page of items that a database gave, and the address of the next one.

    :param items: one more than the limit, if there are so many
    """
    found = items[:limit]
    return found, _next(found, path, query) if len(items) > limit else None


def _next(page: list[Item], path: str, query: typing.Mapping[str, typing.Any]) -> str:
    return f"{path}?{urllib.parse.urlencode({**query, 'marker': page[-1]['id']})}"
