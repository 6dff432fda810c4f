# SPDX-License-Identifier: Apache-2.0
"""Finds the files of an archive by their names, and reads those that are JSON."""

import hashlib
import json
import os
import posixpath
import re
import typing

from fpga_nova.container_image import streams, tar
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.streams import Part, Stream

#: Bytes of a manifest or configuration; those of big images have some 10 kB.
_MAX_JSON = 4 << 20
#: An image has a few files for each layer, and an archive has a few images.
_MAX_FILES = 20_000
_MAX_LINKS = 10
_MAX_NAME = 4096
_DIGEST = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})")


class Archive:
    """A tar archive on disk, or one that is compressed as a whole.

    :param descriptor: of the archive, a regular file
    :param scratch: of an empty file that takes what is unpacked
    :param most: bytes that may be unpacked
    :raises Refused: it is not an archive, or too large
    """

    def __init__(self, descriptor: int, scratch: int, most: int) -> None:
        whole = Part(descriptor, 0, os.fstat(descriptor).st_size)
        self._descriptor = descriptor
        if streams.compressed(whole):
            self._descriptor = scratch
            whole = Part(scratch, 0, _unpack(whole, scratch, most))
        self._files: dict[str, tar.Entry] = {}
        for number, entry in enumerate(tar.entries(Stream(whole, lambda _: None))):
            if number >= _MAX_FILES:
                raise Refused(f"it has more than {_MAX_FILES} files")
            if len(entry.name) > _MAX_NAME or len(entry.link) > _MAX_NAME:
                raise Refused(f"it has a file with a name of more than {_MAX_NAME} characters")
            # As where it is unpacked to a folder, the last of one name counts.
            self._files[posixpath.normpath(entry.name).lstrip("/")] = entry

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def part(self, name: str) -> Part:
        """Where a file's data is.

        :raises Refused: there is no such file
        """
        entry = self._find(name)
        if entry is None:
            raise Refused(f"it lacks the file {_display(name)}")
        return Part(self._descriptor, entry.start, entry.size)

    def json(self, name: str, digest: str | None = None) -> tuple[typing.Any, bytes]:
        """What a file says, and its bytes.

        :param digest: which it must have
        :raises Refused: it is not there, not JSON, too large, or has another digest
        """
        text = self.part(name).read(_MAX_JSON + 1)
        if len(text) > _MAX_JSON:
            raise Refused(f"{_display(name)} in it is larger than {_MAX_JSON} bytes")
        if digest and hashlib.new(digest.partition(":")[0], text).hexdigest() not in digest:
            raise Refused(f"{_display(name)} in it does not have its digest")
        try:
            return json.loads(text.decode()), text
        except (ValueError, RecursionError) as e:
            raise Refused(f"{_display(name)} in it is not JSON") from e

    def _find(self, name: str) -> tar.Entry | None:
        # Old archives have a layer that occurs twice as a link; skopeo has each so.
        name = posixpath.normpath(name).lstrip("/")
        for _ in range(_MAX_LINKS):
            entry = self._files.get(name)
            if entry is None or entry.kind not in b"12":
                return entry if entry and entry.kind in b"07" else None
            folder = posixpath.dirname(name) if entry.kind == b"2" else ""
            name = posixpath.normpath(posixpath.join(folder, entry.link)).lstrip("/")
        return None


def blob(digest: typing.Any) -> str:
    """The name of a file that an OCI archive has by its digest.

    :raises Refused: it is not a digest
    """
    found = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if found is None:
        raise Refused("it names something by a digest that is not valid")
    return f"blobs/{found[1] or found[3]}/{found[2] or found[4]}"


def _unpack(source: Part, scratch: int, most: int) -> int:
    """Unpack an archive; gives its size."""
    size = 0

    def spend(count: int) -> None:
        nonlocal size
        size += count
        if size > most:
            raise Refused(f"it unpacks to more than {most >> 20} MiB")

    with os.fdopen(scratch, "wb", closefd=False) as target:
        stream = Stream(streams.unpacked(source), spend, target)
        stream.drain()
    return size


def _display(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:100]}...")
