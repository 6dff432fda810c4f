# SPDX-License-Identifier: Apache-2.0
"""What an image's owner writes into its properties is shown, and breaks nothing."""

import json
import typing

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga_api.bitstreams import documents
from fpga_api.schemas import bitstreams as schemas

IMAGE = {
    "id": "00000000-0000-0000-0000-000000000001",
    "name": None,
    "status": "queued",
    "visibility": "shared",
    "owner": "p",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
}
_VALUES = st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.just({"board": 1})
_MANIFESTS = st.dictionaries(
    st.sampled_from(["function", "version", "vendor", "type", "target"]), _VALUES
).map(json.dumps)


@given(manifest=_MANIFESTS | st.text() | st.none(), vendor=st.text() | st.none())
def test_any_property_gives_a_document_of_the_schema(
    manifest: str | None, vendor: str | None
) -> None:
    found = documents.describe({**IMAGE, "manifest": manifest, "vendor": vendor}, {})
    jsonschema.Draft202012Validator(schemas.BITSTREAM).validate(found)


@pytest.mark.parametrize(
    ("image", "function"),
    [
        ({"manifest": '{"function": "own"}', "os_hash_value": "1"}, "own"),
        ({"os_hash_value": "1"}, "read"),
        ({"os_hash_value": "2"}, None),
        ({"os_hash_value": "3"}, None),
        ({"os_hash_value": None}, None),
        ({"manifest": "[" * 100_000}, None),
        ({"manifest": '{"function": "own", "x": 1.5}'}, "own"),
        ({"manifest": '{"function": "own", "x": NaN}'}, None),
        ({"manifest": '{"function": "own", "x": -Infinity}'}, None),
        ({"manifest": '{"function": "own", "x": 1e999}'}, None),
    ],
    ids=["own", "read", "bad", "unread", "queued", "deep", "float", "nan", "infinity", "huge"],
)
def test_function_is_of_the_property_or_of_the_package(
    image: dict[str, typing.Any], function: str | None
) -> None:
    packages = {"1": {"manifest": {"function": "read"}}, "2": {"manifest": None, "fault": "bad"}}
    assert documents.describe(IMAGE | image, packages)["function"] == function
