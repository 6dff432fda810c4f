# SPDX-License-Identifier: Apache-2.0
"""Pages of what the database has, for whoever sees it."""

import typing

from fpga_api import paging
from fpga_api.routing import Request

_Row = typing.TypeVar("_Row")


def of_rows(
    request: Request,
    path: str,
    load: typing.Callable[[str, int, str | None], typing.Iterable[_Row]],
    describe: typing.Callable[[_Row], paging.Item],
) -> tuple[list[paging.Item], str | None]:
    """The page of rows that a request asks for, and the address of the next one.

    :param load: gives rows after a marker, so many at most, of a project or of all
    """
    query, most = request.query, request.service.conf.fpga_api.max_limit
    limit = min(query.get("limit", most), most)
    sees, project = request.whose(query.get("project"))
    found = load(query.get("marker", ""), limit + 1, project) if sees else ()
    return paging.cut([describe(one) for one in found], path, query, limit)
