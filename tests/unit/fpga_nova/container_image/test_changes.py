# SPDX-License-Identifier: Apache-2.0
"""What is written differs from what was read only as its caller says."""

import hashlib
import io
import json
import tarfile
import tempfile
import typing

import hypothesis
import pytest
from hypothesis import strategies

from fpga_nova.container_image import streams, writing
from fpga_nova.container_image.limits import Budget, Refused
from fpga_nova.container_image.reading import Changes, Layer
from tests.support import container_images as archives
from tests.support.container_images import Image
from tests.unit.fpga_nova.container_image.conftest import (
    LIMITS,
    Confined,
    Members,
    layers,
    members,
)

_LOWER = archives.tar({"sbin/docker-init": b"of the image", "file": b"x" * 3000})
_UPPER = {
    "sbin/docker-init": b"",
    "sbin/docker-init2": b"",
    "run/a": b"1",
    "run/a/b": b"2",
    "z": b"3",
}


def _written(confined: Confined, image: Image, changes: Changes) -> tuple[Members, list[str]]:
    diffs = confined.read(archives.tar(archives.docker_members(image)), changes=changes)
    return members(confined.target.read_bytes()), diffs


def _config(read: Members) -> typing.Any:
    return json.loads(read[json.loads(read["manifest.json"])[0]["Config"]])


def _names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as opened:
        return opened.getnames()


@pytest.mark.parametrize("packer", sorted(archives.PACKERS))
def test_omitted_paths_are_not_in_the_uppermost_layer(confined: Confined, packer: str) -> None:
    image = Image((_LOWER, archives.tar(_UPPER)), packer=packer)
    read, diffs = _written(confined, image, Changes({}, ("/sbin/docker-init", "/run/a")))
    lower, upper = layers(read)
    assert lower == _LOWER
    assert _names(upper) == ["sbin/docker-init2", "z"]
    assert diffs == [archives.digest(lower), archives.digest(upper)]
    assert _config(read)["rootfs"]["diff_ids"] == diffs


def test_layer_without_omitted_paths_is_the_one_that_was_read(confined: Confined) -> None:
    image = Image((_LOWER, archives.tar(_UPPER)))
    read, _diffs = _written(confined, image, Changes({}, ("/nowhere", "/ru")))
    assert layers(read) == list(image.layers)


def _above(confined: Confined, digest: str | None = None) -> Layer:
    path = confined.folder / "above"
    path.write_bytes(archives.tar({"memory": b"m" * 5000}))
    return Layer(path, digest or hashlib.sha256(path.read_bytes()).hexdigest())


def test_layer_of_the_callers_is_the_uppermost_one(confined: Confined) -> None:
    above = _above(confined)
    data = archives.tar(archives.docker_members(Image((_LOWER, archives.tar(_UPPER)))))
    # What is omitted of the container's own layer.
    diffs = confined.read(data, changes=Changes({}, ("/z", "/memory")), above=above)
    read = members(confined.target.read_bytes())
    assert layers(read)[0] == _LOWER
    assert "z" not in _names(layers(read)[1])
    assert layers(read)[2] == above.path.read_bytes()
    assert diffs[2] == f"sha256:{above.digest}"
    assert _config(read)["rootfs"]["diff_ids"] == diffs


def test_layer_of_the_callers_with_another_digest_is_refused(confined: Confined) -> None:
    data = archives.tar(archives.docker_members(Image((_LOWER,))))
    with pytest.raises(Refused, match="has not the digest"):
        confined.read(data, changes=Changes({}), above=_above(confined, "0" * 64))


def test_image_with_as_many_layers_as_an_engine_takes_gets_no_other(confined: Confined) -> None:
    data = archives.tar(archives.docker_members(Image((_LOWER,) * 125)))
    with pytest.raises(Refused, match="125 are the most"):
        confined.read(data, changes=Changes({}), above=_above(confined))


def test_settings_replace_those_of_the_archive(confined: Confined) -> None:
    config = {"Cmd": ["/own"], "Env": ["SECRET=1"], "Labels": {"a": "b"}}
    image = Image((_LOWER,), extra={"config": config, "variant": "v8"})
    read, _diffs = _written(confined, image, Changes({"Env": ["PATH=/bin"], "Labels": {"c": "d"}}))
    written = _config(read)
    assert written["config"] == {"Env": ["PATH=/bin"]}
    assert written["variant"] == "v8"
    assert b"SECRET" not in confined.target.read_bytes()


def test_settings_may_be_longer_than_an_argument_of_a_program(confined: Confined) -> None:
    settings = {"Env": ["A=" + "x" * (200 << 10)]}
    read, _diffs = _written(confined, Image((_LOWER,)), Changes(settings))
    assert _config(read)["config"] == settings


def test_settings_that_a_boot_would_refuse_are_refused(confined: Confined) -> None:
    for settings, reason in (({"Env": ["A=" + "x" * (256 << 10)]}, "256 KiB"), ({"Cmd": 1}, "Cmd")):
        with pytest.raises(Refused, match=reason):
            _written(confined, Image((_LOWER,)), Changes(settings))


_NAMES = strategies.text("ab/", min_size=1, max_size=4).map(lambda name: f"d/{name}".rstrip("/"))


@hypothesis.given(
    strategies.lists(strategies.tuples(_NAMES, strategies.integers(0, 1500)), max_size=8),
    strategies.integers(100, 1500),
)
@hypothesis.settings(deadline=None)
def test_every_other_entry_stays_byte_for_byte(entries: list[tuple[str, int]], chunk: int) -> None:
    pieces = [archives.tar({name: b"x" * size})[: _entry_size(size)] for name, size in entries]
    hidden = [[part for part in name.split("/") if part][:2] == ["d", "a"] for name, _ in entries]
    end = bytes(1024)
    layer = b"".join(pieces) + end
    expected = b"".join(p for p, omit in zip(pieces, hidden, strict=True) if not omit) + end
    assert _without(layer, "/d/a", chunk) == expected


def _entry_size(size: int) -> int:
    return 512 + size + -size % 512


def _without(layer: bytes, path: str, chunk: int) -> bytes:
    """A layer as it is written, read in pieces of a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "CHUNK", chunk)
        with tempfile.TemporaryFile() as file:
            file.write(layer)
            file.flush()
            target = io.BytesIO()
            part = streams.Part(file.fileno(), 0, len(layer))
            found = writing._Layer("layer-0.tar", archives.digest(layer))
            written = writing._add_layer(target, found, part, Budget(LIMITS), (path,))
    header, data = target.getvalue()[:512], target.getvalue()[512:]
    data = data[: int(header[124:135], 8)]
    assert written.diff == archives.digest(data)
    return data
