# SPDX-License-Identifier: Apache-2.0
"""Whatever the archive, it is refused with a reason, or what is written is what was checked."""

import contextlib
import io
import json
import tarfile
import typing

from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_nova.container_image import tar
from fpga_nova.container_image.limits import Limits, Refused
from fpga_nova.container_image.streams import Stream
from tests.fuzz import inputs
from tests.support import container_images as archives
from tests.support.container_images import Image
from tests.unit.fpga_nova.container_image.conftest import layers, read_here

LIMITS = Limits(unpacked=1 << 20, files=20)
LAYER = archives.tar({"a": b"x" * 600, "b": b"->a"})
_ARCHIVES = [
    archives.tar(members)
    for packer in ("plain", "gzip", "zstd")
    for image in [Image((LAYER, archives.tar({})), packer=packer)]
    for members in (archives.docker_members(image), archives.oci_members(image, nested=True))
]
_ODD = st.sampled_from([0, 1, 511, 512, 513, 1 << 20, 1 << 33, (1 << 63) - 1, 1 << 63, -1, -512])


@st.composite
def entries(draw: st.DrawFn) -> bytes:
    """An entry of a tar archive, with its fields as they come."""
    content = draw(st.binary(max_size=700))
    size = draw(st.just(len(content)) | _ODD)
    field = (
        archives.octal(size) if 0 <= size < 8**11 and draw(st.booleans()) else archives.binary(size)
    )
    kind = draw(
        st.sampled_from([b"0", b"\0", b"1", b"2", b"5", b"7", b"S", b"x", b"g", b"L", b"?"])
    )
    magic = draw(st.sampled_from([b"ustar  \0", b"ustar\x0000", bytes(8)]))
    name = draw(st.sampled_from(["manifest.json", "l", "../l", "a/", ""]))
    block = bytearray(archives.header(name, field, kind, magic))
    if draw(st.booleans()):
        block[482:495] = draw(st.binary(min_size=13, max_size=13))
    before = b""
    if draw(st.booleans()):
        key = draw(st.sampled_from(["size", "path", "GNU.sparse.size", "GNU.sparse.realsize"]))
        before = archives.pax({key: draw(_ODD.map(str) | st.just("l") | st.just(""))})
    return before + archives.summed(block) + archives.padded(content)


TARS = st.lists(entries(), max_size=5).map(lambda parts: b"".join(parts) + bytes(1024))


def _walk(data: bytes) -> list[tar.Entry]:
    return list(tar.entries(Stream(io.BytesIO(data), lambda _: None)))


@given(TARS | TARS.flatmap(inputs.damaged) | st.binary())
@settings(max_examples=300)
def test_tar_archive_is_read_forwards_to_its_end_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):
        at = 0
        for entry in _walk(data):
            assert entry.start >= at + 512
            assert 0 <= entry.size <= entry.unpacked
            at = entry.start + entry.size
            assert at <= len(data)


@given(st.lists(st.tuples(st.text("abc/é", min_size=1, max_size=200), st.binary()), max_size=4))
def test_what_python_writes_is_found_where_python_wrote_it(
    files: list[tuple[str, bytes]],
) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=form) as archive:
            for name, content in files:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        with tarfile.open(fileobj=io.BytesIO(data.getvalue())) as archive:
            theirs = [(one.offset_data, one.size) for one in archive]
        assert [(one.start, one.size) for one in _walk(data.getvalue())] == theirs


def _layer(data: bytes, packer: str) -> bytes:
    image = Image((data,), packer=packer)
    return archives.tar(archives.docker_members(image))


@given(TARS | TARS.flatmap(inputs.damaged), st.sampled_from(["plain", "gzip", "zstd", "xz"]))
def test_layer_is_written_as_it_is_within_the_limits_or_refused(data: bytes, packer: str) -> None:
    with contextlib.suppress(Refused):
        assert layers(read_here(_layer(data, packer), LIMITS)) == [data]
        assert sum(entry.unpacked for entry in _walk(data)) <= LIMITS.unpacked


@given(st.sampled_from(_ARCHIVES).flatmap(inputs.damaged) | TARS | st.binary())
@settings(max_examples=200)
def test_damaged_archive_is_refused_with_a_line_or_gives_what_its_digests_say(data: bytes) -> None:
    for variant in inputs.variants(data, 5):
        try:
            read = read_here(variant, LIMITS)
        except Refused as e:
            assert len(str(e)) < 500
            continue
        entry = json.loads(read["manifest.json"])[0]
        config: dict[str, typing.Any] = json.loads(read[entry["Config"]])
        assert entry["RepoTags"] == ["name:1"]
        assert [archives.digest(one) for one in layers(read)] == config["rootfs"]["diff_ids"]
