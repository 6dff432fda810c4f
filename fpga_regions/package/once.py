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


def find(
    store: Cache, digest: str, suits: typing.Callable[[reader.Package], bool]
) -> reader.Package | None:
    """A package that was taken apart on this host and is still in the store.

    :param digest: of its bitfile, as `Package.digest` gives it
    :param suits: whether it is the one, of those with this bitfile
    """
    _, _, digits = digest.partition(":")
    for file in store.all("files"):
        # What cannot be read is as good as not there.
        with file, contextlib.suppress(OSError, ValueError, TypeError, errors.BadPackage):
            if digits.encode() in _manifest_text(file):
                package = reader.check(_load(file))
                if package.digest == digest and suits(package):
                    return package
    return None


@functools.cache
def _release() -> str:
    return hashlib.sha256(Path(unpacking.__file__).read_bytes()).hexdigest()


def _dump(files: Files) -> bytes:
    sizes = [None if one is None else len(one) for one in files]
    return b"".join([json.dumps(sizes).encode(), b"\n", *(one or b"" for one in files)])


def _manifest_text(stored: typing.BinaryIO) -> bytes:
    sizes = json.loads(stored.readline())
    text = stored.read(sizes[0])
    stored.seek(0)
    return text


def _load(stored: typing.BinaryIO) -> Files:
    sizes = json.loads(stored.readline())
    text, *others = (None if size is None else stored.read(size) for size in sizes)
    return Files(text or b"", *others)
