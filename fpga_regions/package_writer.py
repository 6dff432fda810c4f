# SPDX-License-Identifier: Apache-2.0
"""Makes a bitstream package; the same input gives the same bytes."""

import hashlib
import io
import json
import typing
import zipfile

from fpga_regions import manifest

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell


def describe(fields: dict[str, typing.Any], bitfile: bytes) -> bytes:
    """The text of a manifest.json.

    :param fields: all of the manifest but its version and digests
    :param bitfile: what the digest is taken of
    :raises errors.BadPackage: the fields do not make a valid manifest
    """
    digests = {"sha256": hashlib.sha256(bitfile).hexdigest()}
    text = json.dumps({"manifest_version": 1, **fields, "digests": digests}, indent=2) + "\n"
    manifest.read(text.encode())
    return text.encode()


def write(described: bytes, bitfile: bytes, signature: bytes | None = None) -> bytes:
    """The zip of a manifest's text and the bitfile that it describes.

    :param signature: of the manifest's text
    """
    entries = [(manifest.FILE, described), (manifest.read(described).bitfile, bitfile)]
    if signature is not None:
        entries.insert(1, (manifest.SIGNATURE, signature))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry, content in entries:
            info = zipfile.ZipInfo(entry, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3  # Unix, wherever it is made
            archive.writestr(info, content, compresslevel=9)
    return file.getvalue()
