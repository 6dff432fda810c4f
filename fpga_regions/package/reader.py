# SPDX-License-Identifier: Apache-2.0
"""Reads a bitstream package: a zip that a stranger may have made.

That it is a zip is what Glance's container format says; it is never found out by looking. Nothing
is unpacked to disk by name, and only the manifest, its signature and the bitfile are read at all.
Every limit is checked on what is read, not only on what the archive says of itself.
"""

import dataclasses
import hashlib
import json
import tempfile
import typing

from fpga_nova.confined import confinement, processes, readers
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from fpga_regions.package import manifest, unpacking
from fpga_regions.package.unpacking import Files, Limits

__all__ = ["Limits", "Package", "check", "read", "read_confined", "unpack_confined"]

_SECONDS = 120  # a package of the largest size takes a few
_MEMORY = 256 << 20  # besides what the files of the package need
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Package:
    """A package that was read and found valid.

    :param manifest_text: the text of its manifest, which is what is signed
    :param signature: the signature that it carries, not checked; None if it has none
    """

    manifest: manifest.Manifest
    bitfile: bytes
    manifest_text: bytes = b""
    signature: bytes | None = None

    @property
    def digest(self) -> str:
        """Digest of the bitfile, `sha256:` and hexadecimal digits."""
        return f"sha256:{self.manifest.sha256}"

    @property
    def loaded(self) -> Loaded:
        """What a region shows that is programmed with it."""
        return Loaded(self.manifest.function, self.digest)


def read(file: typing.BinaryIO, limits: Limits) -> Package:
    """The package in a seekable file that is ours.

    :raises errors.BadPackage: it is not a zip, breaks a limit, is damaged, has no valid manifest,
        or its bitfile is not the one that the manifest describes
    """
    return check(unpacking.unpack(file, limits))


def read_confined(file: typing.BinaryIO, limits: Limits) -> Package:
    """The package in a file that may be a stranger's: a process of its own takes it apart.

    :raises errors.BadPackage: as `read` does
    :raises errors.ImageServiceUnavailable: the process did not come to its end, which says nothing
        of the package
    """
    try:
        files = unpack_confined(file, limits)
    except OSError as e:  # no room, or no folder, for temporary files
        raise errors.ImageServiceUnavailable(f"it cannot be read on this host: {e}") from e
    return check(files)


def unpack_confined(file: typing.BinaryIO, limits: Limits) -> Files:
    """What a process of its own takes out of a file that may be a stranger's.

    :raises OSError: no room, or no folder, for temporary files
    :raises errors.BadPackage, errors.ImageServiceUnavailable: as `read_confined` does
    """
    most = limits.max_bitfile_size + limits.max_manifest_size
    box = confinement.Confinement(_MEMORY + 4 * most, most + _MIB, files=16)
    with tempfile.TemporaryFile() as target:
        arguments = [json.dumps(dataclasses.asdict(limits)), str(target.fileno())]
        file.seek(0)
        try:
            finished = readers.read(
                "fpga_regions.package.unpacking",
                arguments,
                box,
                Deadline(_SECONDS),
                file,
                [target.fileno()],
                packages=False,
            )
            report = json.loads(finished.output) if finished.status == 0 else None
        except (processes.Failed, ValueError) as e:
            raise errors.ImageServiceUnavailable(f"it cannot be read on this host: {e}") from e
        if report is None:
            raise errors.ImageServiceUnavailable(
                f"it cannot be read on this host: {finished.complaint}"
            )
        if "refused" in report:
            raise errors.BadPackage(errors.shorten(str(report["refused"])))
        target.seek(0)
        text, bitfile, signature = (
            None if size is None else target.read(size) for size in report["sizes"]
        )
    return Files(text or b"", bitfile, signature)


def check(files: Files) -> Package:
    """What the files of a package are worth: the manifest is read here, in any case.

    :raises errors.BadPackage: no valid manifest, or the bitfile is not the one of the manifest
    """
    fields = manifest.read(files.manifest_text)
    if files.bitfile is None:
        raise errors.BadPackage(f"it lacks its bitfile {fields.bitfile}")
    if hashlib.sha256(files.bitfile).hexdigest() != fields.sha256:
        raise errors.BadPackage(f"{fields.bitfile} does not have the digest of its manifest")
    return Package(fields, files.bitfile, files.manifest_text, files.signature)
