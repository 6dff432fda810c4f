# SPDX-License-Identifier: Apache-2.0
"""Writes an archive of one image that every engine loads.

Its layers are plain: what was measured is what an engine gets, and it need not unpack a stranger's
compressed bytes.
"""

import hashlib
import io
import json
import posixpath
import tarfile
import typing

from fpga_nova.container_image import archive, choice, configuration, streams, tar
from fpga_nova.container_image.choice import Image
from fpga_nova.container_image.configuration import Changes
from fpga_nova.container_image.limits import Budget, Refused
from fpga_nova.container_image.streams import Stream

_BLOCK = 512


class _Layer(typing.NamedTuple):
    """A layer as it was written.

    :param file: its name in the archive
    :param diff: its digest
    """

    file: str
    diff: str


class Above(typing.NamedTuple):
    """A layer that is to be the uppermost one.

    :param part: where it is
    :param diff: its digest
    """

    part: streams.Part
    diff: str


def write(
    image: Image,
    source: archive.Archive,
    target: typing.BinaryIO,
    name: str | None,
    budget: Budget,
    changes: Changes | None = None,
    above: Above | None = None,
) -> list[str]:
    """Write an image.

    :param target: a regular file, empty
    :param name: the only one that the archive has; None for none
    :param changes: what differs from the image that was read; wanted if there is a layer above
    :param above: the uppermost layer
    :returns: the digests of its layers, lowest first
    :raises Refused: a layer is over a limit, damaged, or not the one that the configuration names
    """
    written: dict[str, _Layer] = {}
    for place, (layer, diff) in enumerate(zip(image.layers, image.diffs, strict=True), 1):
        if diff not in written:
            budget.times = image.diffs.count(diff)
            omitted = changes.omitted if changes and place == len(image.layers) else ()
            found = _Layer(f"layer-{len(written)}.tar", diff)
            written[diff] = _add_layer(target, found, source.part(layer), budget, omitted)
    layers = [written[diff] for diff in image.diffs]
    if above:
        if len(layers) == choice.MAX_LAYERS:
            raise Refused(f"it has {len(layers)} layers, and {choice.MAX_LAYERS} are the most")
        budget.times = 1
        found = _Layer(f"layer-{len(written)}.tar", above.diff)
        layers.append(_add_layer(target, found, above.part, budget, ()))
    diffs = [layer.diff for layer in layers]
    config = image.config
    if changes:
        config = configuration.changed(config, changes.settings, diffs)
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    _add(target, config_name, config)
    manifest = {
        "Config": config_name,
        "RepoTags": [name] if name else None,
        "Layers": [layer.file for layer in layers],
    }
    _add(target, "manifest.json", json.dumps([manifest]).encode())
    target.write(bytes(2 * _BLOCK))
    return diffs


def _add_layer(
    target: typing.BinaryIO,
    layer: _Layer,
    part: streams.Part,
    budget: Budget,
    omitted: typing.Collection[str],
) -> _Layer:
    """Write a layer; what was written differs from what was read where something is omitted."""
    name = layer.file
    start = target.tell()
    target.write(bytes(_BLOCK))
    stream = Stream(streams.unpacked(part), budget.write, target)
    gaps: list[tuple[int, int]] = []
    end = 0
    for entry in tar.entries(stream):
        budget.spend(entry.unpacked, files=1)
        # What belongs to an entry begins where the one before it ends: extended headers come first.
        begin, end = end, entry.start + entry.size + -entry.size % _BLOCK
        if _is_omitted(entry.name, omitted):
            if gaps and gaps[-1][1] == begin:
                begin = gaps.pop()[0]
            gaps.append((begin, end))
    if stream.drain() != layer.diff:
        raise Refused(f"its {name.removesuffix('.tar')} has not the digest that it should have")
    if gaps:
        target.seek(start + _BLOCK)
        target.truncate()
        layer = _Layer(name, _copy_without(gaps, part.anew(), target))
    size = target.tell() - start - _BLOCK
    target.write(bytes(-size % _BLOCK))
    target.seek(start)
    target.write(_header(name, size))
    target.seek(0, io.SEEK_END)
    return layer


def _is_omitted(name: str, omitted: typing.Collection[str]) -> bool:
    path = posixpath.normpath(f"/{name}")
    return any(path == one or path.startswith(f"{one}/") for one in omitted)


def _copy_without(
    gaps: typing.Sequence[tuple[int, int]], part: streams.Part, target: typing.BinaryIO
) -> str:
    """Copy a layer but for its gaps; gives the digest of what was written."""
    source = streams.unpacked(part)
    digest = hashlib.sha256()
    position = 0
    while data := source.read(streams.CHUNK):
        start = 0
        for gap in [*gaps, (position + len(data),) * 2]:
            begin, end = (max(at - position, 0) for at in gap)
            piece = data[start:begin]
            digest.update(piece)
            target.write(piece)
            start = max(start, end)
        position += len(data)
    return f"sha256:{digest.hexdigest()}"


def _add(target: typing.BinaryIO, name: str, content: bytes) -> None:
    target.write(_header(name, len(content)) + content + bytes(-len(content) % _BLOCK))


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)
