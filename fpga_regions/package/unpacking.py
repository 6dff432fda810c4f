# SPDX-License-Identifier: Apache-2.0
"""Takes the files of a bitstream package out of its zip; `sources` has this run confined.

It imports little, because it starts at each burn. Whoever reads its report checks what it gives.
"""

import codecs
import dataclasses
import json
import os
import posixpath
import stat
import struct
import sys
import typing
import zipfile
import zlib

from fpga_regions import errors
from fpga_regions.package import manifest

if typing.TYPE_CHECKING:
    from oslo_config import cfg

# zipfile needs it for names, and it cannot be imported any more once rights are given up.
codecs.lookup("cp437")

_SIGNATURE_SIZE = 64  # Ed25519, RFC 8032
_NAME_LENGTH = 255  # as manifest.schema.json has it for the bitfile's
_CHUNK = 1024 * 1024
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR_SIZE = 20
_ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"
_ENTRY_SIZE = 46 + 1024  # a directory entry, with room for its name and extra fields
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # any kind of encryption (APPNOTE.TXT 4.4.4)
_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    ValueError,
    struct.error,
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """How large a package may be; meanings are those of the options in group `packages`."""

    max_size: int
    max_entries: int
    max_unpacked_size: int
    max_bitfile_size: int
    max_manifest_size: int
    max_ratio: int

    @classmethod
    def of(cls, conf: "cfg.ConfigOpts") -> "Limits":
        """The limits that the operator set."""
        return cls(**{field.name: conf.packages[field.name] for field in dataclasses.fields(cls)})


class Files(typing.NamedTuple):
    """What a package holds.

    :param manifest_text: its manifest
    :param bitfile: the file that the manifest names; None if there is none
    :param signature: of the manifest; None if there is none
    """

    manifest_text: bytes
    bitfile: bytes | None
    signature: bytes | None


def main(arguments: list[str]) -> int:
    """Read the package in standard input; write its files one after the other, and their sizes.

    :param arguments: the limits as JSON, and the descriptor to write to
    :returns: exit status; 0 where the report says how it went
    """
    limits, target = Limits(**json.loads(arguments[0])), int(arguments[1])
    report: dict[str, typing.Any]
    try:
        files = unpack(sys.stdin.buffer, limits)
    except errors.BadPackage as e:
        report = {"refused": e.why}
    else:
        with os.fdopen(target, "wb") as output:
            output.writelines(part for part in files if part is not None)
        report = {"sizes": [None if part is None else len(part) for part in files]}
    json.dump(report, sys.stdout)
    return 0


def unpack(file: typing.BinaryIO, limits: Limits) -> Files:
    """The files of the package in a seekable file.

    :raises errors.BadPackage: it is not a zip, breaks a limit, is damaged or has no manifest
    """
    count = _check_directory(file, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = _check_entries(archive.infolist(), count, limits)
            if manifest.FILE not in entries:
                raise errors.BadPackage(f"it has no {manifest.FILE} at its top")
            text = _extract(
                archive, entries[manifest.FILE], limits.max_manifest_size, "max_manifest_size"
            )
            entry = entries.get(manifest.bitfile_of(text))
            bitfile = None
            if entry is not None:
                bitfile = _extract(archive, entry, limits.max_bitfile_size, "max_bitfile_size")
            return Files(text, bitfile, _signature(archive, entries))
    except _DAMAGE as e:
        reason = errors.shorten(str(e))
        raise errors.BadPackage(f"it is not a zip, or a damaged one: {reason}") from e


def _signature(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> bytes | None:
    entry = entries.get(manifest.SIGNATURE)
    if entry is None:
        return None
    if entry.file_size != _SIGNATURE_SIZE:
        raise errors.BadPackage(
            f"{entry.filename} has {entry.file_size} bytes, not the {_SIGNATURE_SIZE} of Ed25519"
        )
    return _extract(archive, entry, _SIGNATURE_SIZE, "the size of a signature")


def _check_directory(file: typing.BinaryIO, limits: Limits) -> int:
    """See that the archive's directory is small before zipfile reads the whole of it.

    Comments and the 64-bit format are refused: no package needs them, and with them an archive
    can be read in more than one way.

    :returns: how many files it says that it has
    """
    size = file.seek(0, 2)
    if size > limits.max_size:
        raise errors.BadPackage(f"it is larger than {limits.max_size} bytes (max_size)")
    if size < _END.size:
        raise errors.BadPackage("it is not a zip: too short")
    start = max(0, size - _END.size - _ZIP64_LOCATOR_SIZE)
    file.seek(start)
    tail = file.read()
    signature, *_, entries, directory_size, _offset, comment = _END.unpack(tail[-_END.size :])
    if signature != _END_SIGNATURE or comment:
        raise errors.BadPackage("it is not a zip, or one with a comment at its end")
    if tail[: -_END.size].startswith(_ZIP64_LOCATOR_SIGNATURE):
        raise errors.BadPackage("it is a zip of the 64-bit format, which packages do not use")
    if directory_size > size - _END.size:
        raise errors.BadPackage("it is not a zip, or a damaged one: its directory is cut short")
    if entries > limits.max_entries or directory_size > limits.max_entries * _ENTRY_SIZE:
        raise errors.BadPackage(f"it has more than {limits.max_entries} files (max_entries)")
    return int(entries)


def _check_entries(
    entries: list[zipfile.ZipInfo], count: int, limits: Limits
) -> dict[str, zipfile.ZipInfo]:
    if len(entries) > limits.max_entries:
        raise errors.BadPackage(f"it has more than {limits.max_entries} files (max_entries)")
    if len(entries) != count:
        raise errors.BadPackage(f"it has {len(entries)} files and says that it has {count}")
    if min((entry.header_offset for entry in entries), default=0) > 0:
        raise errors.BadPackage("it has something else before its first file")
    if sum(entry.file_size for entry in entries) > limits.max_unpacked_size:
        raise errors.BadPackage(
            f"its files have more than {limits.max_unpacked_size} bytes (max_unpacked_size)"
        )
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        _check_name(entry)
        _check_form(entry, limits)
        if entry.filename in found:
            raise errors.BadPackage(f"it has two files named {entry.filename}")
        found[entry.filename] = entry
    return {name: entry for name, entry in found.items() if not entry.is_dir()}


def _check_name(entry: zipfile.ZipInfo) -> None:
    # zipfile cuts a name at a NUL; orig_filename is what the archive says.
    name = entry.orig_filename.removesuffix("/")
    odd = not name or not name.isprintable() or "\\" in name or ":" in name
    if odd or name.startswith(("/", "..")) or posixpath.normpath(name) != name:
        raise errors.BadPackage(f"it has a file with a forbidden name, {errors.shorten(name)!r}")
    if len(name) > _NAME_LENGTH:
        raise errors.BadPackage(f"it has a file with too long a name, {errors.shorten(name)}")


def _check_form(entry: zipfile.ZipInfo, limits: Limits) -> None:
    name = entry.filename
    if entry.header_offset < 0:
        raise errors.BadPackage(f"{name} lies outside of it")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise errors.BadPackage(f"{name} is a link or a device, not a file")
    if entry.flag_bits & _ENCRYPTED:
        raise errors.BadPackage(f"{name} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise errors.BadPackage(f"{name} is compressed in another way than deflate")
    if entry.file_size > limits.max_ratio * max(entry.compress_size, 1):
        raise errors.BadPackage(
            f"{name} is more than {limits.max_ratio} times larger unpacked (max_ratio)"
        )


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int, option: str) -> bytes:
    parts = []
    size = 0
    with archive.open(entry) as file:
        while part := file.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise errors.BadPackage(f"{entry.filename} is over {limit} bytes ({option})")
    if size != entry.file_size:
        raise errors.BadPackage(f"{entry.filename} is cut short")
    return b"".join(parts)
