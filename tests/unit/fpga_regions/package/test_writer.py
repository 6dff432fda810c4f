# SPDX-License-Identifier: Apache-2.0
"""What the writer makes is what the reader takes, and nothing else is made."""

import io
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_regions import errors
from fpga_regions.package import manifest, reader, writer
from tests.support import bitstreams

LIMITS = reader.Limits(
    max_size=1 << 20,
    max_entries=4,
    max_unpacked_size=1 << 20,
    max_bitfile_size=1 << 18,
    max_manifest_size=4096,
    max_ratio=50,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from([*bitstreams.fields(), "type", "description", "x-own", "unknown", "digests"]),
    VALUES | st.sampled_from(["a", "a/b", "../a", "manifest.json", "manifest.json.sig", "a:b"]),
    max_size=3,
)
CONTENTS = st.binary(max_size=200) | st.builds(
    lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 100_000)
)


@settings(max_examples=300, deadline=None)
@given(FIELDS, CONTENTS, st.none() | st.binary(min_size=64, max_size=64))
def test_package_that_is_made_is_read_as_it_was_described(
    changes: dict[str, typing.Any], content: bytes, signature: bytes | None
) -> None:
    try:
        manifest_text = writer.describe(bitstreams.fields(**changes), content)
    except errors.BadPackage as e:
        assert e.why.isprintable()
        return
    if len(manifest_text) > LIMITS.max_manifest_size:
        return
    data = writer.write(manifest_text, content, signature, LIMITS.max_ratio)
    package = reader.read(io.BytesIO(data), LIMITS)
    assert (package.bitfile, package.manifest_text, package.signature) == (
        content,
        manifest_text,
        signature,
    )
    assert package.manifest == manifest.read(manifest_text)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_number_without_a_value_is_refused_by_its_writer(value: float) -> None:
    with pytest.raises(errors.BadPackage, match="not JSON"):
        writer.describe(bitstreams.fields(**{"x-own": value}), b"")


def test_value_that_is_nested_too_deep_is_refused_by_its_writer() -> None:
    value: list[typing.Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(errors.BadPackage, match="64 levels"):
        writer.describe(bitstreams.fields(**{"x-own": value}), b"")
