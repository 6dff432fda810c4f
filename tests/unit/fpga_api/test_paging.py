# SPDX-License-Identifier: Apache-2.0
"""Pages together are the list, each item once."""

import typing
import urllib.parse

from hypothesis import given
from hypothesis import strategies as st

from fpga_api import paging


@given(
    st.lists(st.text("abc/ ?&", min_size=1, max_size=3)),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_pages_together_are_the_list(ids: list[str], limit: int, most: int) -> None:
    items = [{"id": one} for one in sorted(ids)]
    query: dict[str, typing.Any] = {"state": "free", "limit": limit}
    found: list[paging.Item] = []
    while True:
        page, following = paging.page(items, "/v1/x", query, most)
        found += page
        if following is None:
            break
        assert len({one["id"] for one in page}) <= min(limit, most)
        path, _, text = following.partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        assert (path, query["state"]) == ("/v1/x", "free")
        query["limit"] = int(query["limit"])
    assert found == items
