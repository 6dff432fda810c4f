# SPDX-License-Identifier: Apache-2.0
"""Makes a bitstream package; the same input gives the same bytes."""

import hashlib
import io
import json
import typing
import zipfile
import zlib

from fpga_regions import errors
from fpga_regions.package import manifest

#: As readers have it if their operator does not set another one.
MAX_RATIO = 200
_LEVEL = 9
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell


def describe(fields: dict[str, typing.Any], bitfile: bytes) -> bytes:
    """The text of a manifest.json.

    :param fields: all of the manifest but its version and digests
    :param bitfile: what the digest is taken of
    :raises errors.BadPackage: the fields do not make a valid manifest
    """
    digests = {"sha256": hashlib.sha256(bitfile).hexdigest()}
    document = {"manifest_version": 1, **fields, "digests": digests}
    try:
        text = f"{json.dumps(document, indent=2, allow_nan=False)}\n".encode()
    except ValueError as e:
        raise errors.BadPackage(f"it is not JSON: {e}") from e
    except RecursionError:
        raise errors.BadPackage(f"{manifest.FILE} {manifest.TOO_DEEP}") from None
    manifest.read(text)
    return text


def write(
    manifest_text: bytes, bitfile: bytes, signature: bytes | None = None, max_ratio: int = MAX_RATIO
) -> bytes:
    """The zip of a manifest's text and the bitfile that it describes.

    :param signature: of the manifest's text
    :param max_ratio: how many times smaller a file may become: readers refuse what is more
    """
    entries = [(manifest.FILE, manifest_text), (manifest.read(manifest_text).bitfile, bitfile)]
    if signature is not None:
        entries.insert(1, (manifest.SIGNATURE, signature))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry, content in entries:
            info = zipfile.ZipInfo(entry, _EPOCH)
            info.compress_type = _compression(content, max_ratio)
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # Unix, wherever it is made
            archive.writestr(info, content, compresslevel=_LEVEL)
    return file.getvalue()


def _compression(content: bytes, max_ratio: int) -> int:
    size = len(zlib.compress(content, _LEVEL, wbits=-zlib.MAX_WBITS))
    too_small = len(content) > max_ratio * size
    return zipfile.ZIP_STORED if too_small else zipfile.ZIP_DEFLATED
