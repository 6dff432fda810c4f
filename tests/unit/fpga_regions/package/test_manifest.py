# SPDX-License-Identifier: Apache-2.0
"""Reading a manifest: what the schema says is read, and everything else is refused in one way."""

import contextlib
import json
import typing
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_regions import errors
from fpga_regions.package import manifest
from tests.support import bitstreams

GOOD = {"manifest_version": 1, **bitstreams.fields(), "digests": {"sha256": "0" * 64}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def read(document: typing.Any) -> manifest.Manifest:
    return manifest.read(json.dumps(document).encode())


def refusal(text: bytes) -> str:
    with pytest.raises(errors.BadPackage) as caught:
        manifest.read(text)
    return caught.value.why


def test_good_manifest_is_read() -> None:
    found = read(GOOD)
    assert (found.function, found.board, found.part) == ("lzo1x_compress", "emulator", "software")
    assert found.exposes == (manifest.Exposed("socket", "/dev/fpga0"),)


def test_published_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(manifest.schema())


def test_schema_in_the_documentation_is_the_one_that_is_checked_with() -> None:
    published = Path(__file__).parents[4] / "docs" / "manifest.schema.json"
    assert json.loads(published.read_text()) == manifest.schema()


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with contextlib.suppress(errors.BadPackage):
        manifest.read(text)


@settings(max_examples=150)
@given(st.sampled_from(sorted(GOOD)) | st.text(), JSON)
def test_any_member_of_any_value_is_read_or_refused(name: str, value: typing.Any) -> None:
    with contextlib.suppress(errors.BadPackage):
        read(GOOD | {name: value})


@pytest.mark.parametrize("name", sorted(set(GOOD)))
def test_every_member_is_required(name: str) -> None:
    document = {key: value for key, value in GOOD.items() if key != name}
    assert name in refusal(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("manifest_version", 2),
        ("function", "a function"),
        ("function", "lzo\n"),
        ("bitfile", "../core.json"),
        ("bitfile", "/etc/passwd"),
        ("bitfile", "a/../b"),
        ("bitfile", "manifest.json"),
        ("bitfile", "manifest.json.sig"),
        ("digests", {"sha256": "0" * 63}),
        ("digests", {"sha256": "0" * 64 + "\n"}),
        ("digests", {"md5": "0" * 32}),
        ("exposes", []),
        ("exposes", [{"kind": "disk", "name": "/dev/x"}]),
        ("exposes", [{"kind": "char", "name": "/dev/../etc/x"}]),
        ("exposes", [{"kind": "char", "name": "/etc/x"}]),
        ("exposes", [{"kind": "char", "name": "/dev/x"}, {"kind": "pipe", "name": "/dev/x"}]),
        ("target", {"board": "emulator"}),
        ("colour", "red"),
    ],
)
def test_value_that_the_schema_forbids_is_named(name: str, value: typing.Any) -> None:
    assert name in refusal(json.dumps(GOOD | {name: value}).encode())


@pytest.mark.parametrize("name", ["x-build", "x-1", "x-" + "a" * 62])
@pytest.mark.parametrize("value", [None, 1, "text", {"a": ["b"]}])
def test_members_of_the_makers_own_are_not_looked_at(name: str, value: typing.Any) -> None:
    assert read(GOOD | {name: value}) == read(GOOD)


@pytest.mark.parametrize(
    "name", ["colour", "x", "x-", "X-build", "x-a b", "x-a\n", "x-" + "a" * 63]
)
def test_other_unknown_members_are_refused(name: str) -> None:
    why = refusal(json.dumps(GOOD | {name: 1}).encode())
    assert why.startswith("manifest.json: $: unknown member")
    assert repr(name) in why


@pytest.mark.parametrize("name", ["target", "digests"])
def test_unknown_members_further_down_are_refused(name: str) -> None:
    inner = typing.cast(dict[str, typing.Any], GOOD[name]) | {"x-own": 1}
    assert refusal(json.dumps(GOOD | {name: inner}).encode()) == (
        f"manifest.json: $.{name}: unknown member 'x-own'"
    )


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"{} {}", b'{"x-a": 1e999}', b'{"a": 1, "a": 2}', b'{"a": NaN}']
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    assert refusal(text).startswith("manifest.json is not JSON: ")


def deep(levels: int) -> bytes:
    """A manifest of so many levels, with brackets in strings that do not count."""
    inner = b"[" * (levels - 1) + rb'"[[{\"[["' + b"]" * (levels - 1)
    return json.dumps(GOOD).encode()[:-1] + b', "x-own": ' + inner + b"}"


def test_manifest_is_nested_as_deep_as_the_documentation_says_and_no_deeper() -> None:
    assert manifest.read(deep(64)).name == GOOD["name"]
    for text in (deep(65), b"[" * 100_000, deep(65)[:-40]):
        assert refusal(text) == "manifest.json is nested more than 64 levels deep"


@pytest.mark.parametrize("depth", [10, 500, *range(900, 1000, 10), 30_000])
@pytest.mark.parametrize("name", ["name", "target", "exposes"])
def test_value_of_any_depth_is_refused(name: str, depth: int) -> None:
    text = json.dumps(GOOD | {name: "@"}).replace('"@"', "[" * depth + "]" * depth)
    assert refusal(text.encode()).startswith("manifest.json")


def test_refusal_is_short_however_long_the_manifest() -> None:
    assert len(refusal(json.dumps(GOOD | {"vendor": "x" * 60_000}).encode())) < 300
