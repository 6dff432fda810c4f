# SPDX-License-Identifier: Apache-2.0
"""Writes an archive of one image that every engine loads.

Its layers are plain: what was measured is what an engine gets, and it need not unpack a stranger's
compressed bytes.
"""

import hashlib
import io
import json
import tarfile
import typing

from fpga_nova.container_image import archive, streams, tar
from fpga_nova.container_image.choice import Image
from fpga_nova.container_image.limits import Budget, Refused
from fpga_nova.container_image.streams import Stream

_BLOCK = 512


def write(
    image: Image, source: archive.Archive, target: typing.BinaryIO, name: str | None, budget: Budget
) -> None:
    """Write an image.

    :param target: a regular file, empty
    :param name: the only one that the archive has; None for none
    :raises Refused: a layer is over a limit, damaged, or not the one that the configuration names
    """
    config = f"{hashlib.sha256(image.config).hexdigest()}.json"
    _add(target, config, image.config)
    written: dict[str, str] = {}
    for layer, diff in zip(image.layers, image.diffs, strict=True):
        if diff not in written:
            written[diff] = f"layer-{len(written)}.tar"
            budget.times = image.diffs.count(diff)
            _add_layer(target, written[diff], source.part(layer), diff, budget)
    manifest = {
        "Config": config,
        "RepoTags": [name] if name else None,
        "Layers": [written[diff] for diff in image.diffs],
    }
    _add(target, "manifest.json", json.dumps([manifest]).encode())
    target.write(bytes(2 * _BLOCK))


def _add_layer(
    target: typing.BinaryIO, name: str, part: streams.Part, diff: str, budget: Budget
) -> None:
    start = target.tell()
    target.write(bytes(_BLOCK))
    stream = Stream(streams.unpacked(part), budget.write, target)
    for entry in tar.entries(stream):
        budget.spend(entry.unpacked, files=1)
    found, size = stream.drain(), target.tell() - start - _BLOCK
    if found != diff:
        raise Refused(f"its {name.removesuffix('.tar')} has not the digest that it should have")
    target.write(bytes(-size % _BLOCK))
    target.seek(start)
    target.write(_header(name, size))
    target.seek(0, io.SEEK_END)


def _add(target: typing.BinaryIO, name: str, content: bytes) -> None:
    target.write(_header(name, len(content)) + content + bytes(-len(content) % _BLOCK))


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)
