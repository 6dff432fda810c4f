# SPDX-License-Identifier: Apache-2.0
"""The manifest of a live image: what the signature of the image binds together."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import stat
import typing

from novadocker.live.errors import Untrusted

#: The files of an image besides those of CRIU.
MANIFEST, SIGNATURE = "live.json", "live.sig"
#: The folder of CRIU's files.
CRIU = "criu"
#: The archive of the container's files, in that of a live image.
IMAGE = "image.tar"
#: How many files the archive of a live image may have.
MOST_FILES = 50_000

_VERSION = 1
#: Bytes of a manifest at most: CRIU writes a few files for each process.
MOST = 8 << 20
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class File:
    """A file of CRIU's.

    :param size: bytes
    :param sha256: its digest
    """

    name: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a live image is, and whose.

    :param project: whose server was dumped; no other project's is made of the image
    :param instance: the server
    :param bitstreams: the digests of the bitstreams in the server's regions, in their order
    :param image: the digest of the archive with the server's files
    :param criu: the version that dumped
    :param kernel: the release of the kernel
    :param machine: in the words of uname(1)
    :param cpu: the features of the processor that programs may have found
    :param capabilities: what the processes had, as a mask
    :param no_new_privileges: whether all processes had that
    :param seccomp: whether all processes had a filter
    :param mounts: the places in the container where something of the host is mounted
    :param created: when, ISO 8601
    :param files: those of CRIU
    """

    project: str
    instance: str
    bitstreams: tuple[str, ...]
    image: str
    criu: str
    kernel: str
    machine: str
    cpu: tuple[str, ...]
    capabilities: int
    no_new_privileges: bool
    seccomp: bool
    mounts: tuple[str, ...]
    created: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of CRIU's files."""
        return sum(file.size for file in self.files)

    def dump(self) -> bytes:
        """What is signed."""
        return json.dumps({"version": _VERSION, **dataclasses.asdict(self)}, indent=1).encode()


def load(data: bytes) -> Manifest:
    """Read what `Manifest.dump` wrote, and a signature was good for.

    :raises Untrusted: it is something else, or larger than the reader of an archive permits
    """
    if len(data) > MOST:
        raise Untrusted(f"its {MANIFEST} is too large")
    try:
        table = json.loads(data)
        if table.pop("version") != _VERSION:
            raise Untrusted("its manifest has another version: install this version of fpga-nova")
        files = tuple(File(**one) for one in table.pop("files"))
        lists = {name: tuple(table[name]) for name in ("bitstreams", "cpu", "mounts")}
        found = Manifest(files=files, **{**table, **lists})
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise Untrusted(f"its manifest cannot be read: {e}") from e
    if not all(_is_file(file) for file in files):
        raise Untrusted("its manifest names something that is not a file of CRIU's")
    if len(files) + len((MANIFEST, SIGNATURE, IMAGE)) > MOST_FILES:
        raise Untrusted("its manifest names too many files")
    return found


def measure(folder: pathlib.Path) -> tuple[File, ...]:
    """The files in a folder of CRIU's, with their digests."""
    return tuple(
        File(path.name, path.stat().st_size, digest_of(path)) for path in sorted(folder.iterdir())
    )


def copy(source: int, target: pathlib.Path, files: typing.Iterable[File]) -> None:
    """Copy the files of a manifest, and no others, and compare each with its digest.

    The copy is what was compared: whoever can change the source changes nothing afterwards.

    :param source: descriptor of the folder
    :param target: an empty folder that only we can enter
    :raises Untrusted: a file is missing or is another one
    """
    for file in files:
        found = _copy(source, target / file.name, file)
        if found != file.sha256:
            raise Untrusted(f"{file.name} is not the file that was signed")


def _copy(source: int, target: pathlib.Path, file: File) -> str:
    """Copy a file of a known size; the digest of what was copied."""
    try:
        descriptor = os.open(
            file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source
        )
    except OSError as e:
        raise Untrusted(f"{file.name} cannot be read: {e.strerror}") from e
    with os.fdopen(descriptor, "rb", buffering=0) as opened, target.open("xb") as copied:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            raise Untrusted(f"{file.name} does not have the size that was signed")
        digest, remainder = hashlib.sha256(), file.size
        while remainder and (part := opened.read(min(_CHUNK, remainder))):
            digest.update(part)
            copied.write(part)
            remainder -= len(part)
    return digest.hexdigest()


def digest_of(path: pathlib.Path) -> str:
    """The digest of a file, as it is in a manifest."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_file(file: File) -> bool:
    return (
        isinstance(file.name, str)
        and isinstance(file.sha256, str)
        and type(file.size) is int
        and file.size >= 0
        and _NAME.fullmatch(file.name) is not None
        and _DIGEST.fullmatch(file.sha256) is not None
    )
