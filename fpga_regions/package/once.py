# SPDX-License-Identifier: Apache-2.0
"""Takes a bitstream package apart once: what came out of it is kept under the digest of its file.

Other limits, or another release of what takes packages apart, take it apart anew.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import typing
from pathlib import Path

from fpga_regions import errors
from fpga_regions.package import reader, unpacking
from fpga_regions.package.unpacking import Files, Limits
from fpga_regions.system.cache import Cache, key


def read(file: typing.BinaryIO, digest: str, limits: Limits, store: Cache) -> reader.Package:
    """The package in a file that may be a stranger's, from a store where that has it.

    :param digest: of the file, checked
    :raises errors.BadPackage, errors.ImageServiceUnavailable: as `reader.read_confined` does
    """
    name = f"{key(digest, json.dumps(dataclasses.asdict(limits)), _release())}.files"
    try:
        if (stored := store.get(name)) is not None:
            with stored:
                return reader.check(_load(stored))
        files = reader.unpack_confined(file, limits)
    except OSError as e:
        raise errors.ImageServiceUnavailable(f"it cannot be read on this host: {e}") from e
    package = reader.check(files)
    # Without room for it, the next one takes it apart again.
    with contextlib.suppress(OSError):
        store.put(name, _dump(files)).close()
    return package


@functools.cache
def _release() -> str:
    return hashlib.sha256(Path(unpacking.__file__).read_bytes()).hexdigest()


def _dump(files: Files) -> bytes:
    sizes = [None if one is None else len(one) for one in files]
    return b"".join([json.dumps(sizes).encode(), b"\n", *(one or b"" for one in files)])


def _load(stored: typing.BinaryIO) -> Files:
    sizes = json.loads(stored.readline())
    text, *others = (None if size is None else stored.read(size) for size in sizes)
    return Files(text or b"", *others)
