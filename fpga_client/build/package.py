# SPDX-License-Identifier: Apache-2.0
"""Makes a bitstream package for a region, by the schema of manifests that the project publishes.

The service reads each package that it gets, and says what is wrong with it.
"""

import hashlib
import io
import json
import re
import typing
import zipfile

from fpga_client.resources import Region

#: As the schema has names of functions and bitfiles.
_OTHERS = re.compile(r"[^A-Za-z0-9._+-]+")

_MANIFEST = "manifest.json"

#: A reader refuses what becomes more than 200 times larger; what is close is not compressed.
_RATIO = 100


class UnknownRegionError(Exception):
    """The service does not know of a region what a package for it needs."""


def word(text: str) -> str:
    """A text as manifests have names: its other characters are replaced."""
    return _OTHERS.sub("_", text).lstrip("._+-")[:64] or "bitstream"


def parts(region: Region) -> list[str]:
    """The parts for which a region takes bitfiles."""
    return [one for one in str(region.part or "").split(",") if one]


def manifest(
    region: Region, part: str, name: str, function: str, bitfile: bytes
) -> dict[str, typing.Any]:
    """The manifest of a bitfile that takes the place of what a region has.

    :param part: that the bitfile is for
    :param name: of the package
    :raises UnknownRegionError: board or devices of the region are not known
    """
    exposes = [
        {"kind": node["kind"], "name": node["name"]} for node in region.nodes if node.get("name")
    ]
    if not (region.board and exposes):
        raise UnknownRegionError(
            f"the service does not know the board and the devices of region {region.id}"
        )
    return {
        "manifest_version": 1,
        "name": word(name),
        "version": hashlib.sha256(bitfile).hexdigest()[:12],
        "vendor": word(region.vendor or "unknown"),
        "function": word(function),
        "target": {"board": region.board, "part": part},
        "bitfile": "bitfile.bin",
        "digests": {"sha256": hashlib.sha256(bitfile).hexdigest()},
        "exposes": exposes,
    }


def write(fields: dict[str, typing.Any], bitfile: bytes) -> typing.BinaryIO:
    """The package of a manifest and the bitfile that it describes, as a file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_MANIFEST, json.dumps(fields, indent=2))
        archive.writestr(fields["bitfile"], bitfile, _compression(bitfile))
    file.seek(0)
    return file


def _compression(bitfile: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("bitfile", bitfile, zipfile.ZIP_DEFLATED)
        (info,) = archive.infolist()
    small = info.compress_size * _RATIO < info.file_size
    return zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED
