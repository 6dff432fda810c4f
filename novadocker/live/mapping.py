# SPDX-License-Identifier: Apache-2.0
"""Moves the memory of a dump to files of the container, which all its clones map.

CRIU copies what a dump has of a process, so that each clone has memory of its own. Here large areas
become private mappings of files, and the files a layer of the live image. Clones of one image share
the layer, and so its pages, until they write to them. CRIU restores such areas as any others that a
program has mapped.

A program can notice it. What it gives back by madvise(2), MADV_DONTNEED, has its former bytes
afterwards, where other memory has zeros. So it is done for those alone who ask for it.
"""

import os
import pathlib
import stat
import tarfile
import typing

from novadocker.live import dumping, images, manifest, places
from novadocker.live.errors import LiveError
from novadocker.live.memory import Memory
from novadocker.live.settings import Settings

#: The layer, beside the folder of CRIU's files.
LAYER = "memory.tar"
#: A folder in the container; in it is one for each dump, named by the container that was dumped.
_FOLDER = ".fpga-live"
_DIGITS = 16
#: Only root reads a file of memory: the processes of a container may be different users.
_MODE = 0o400

#: CRIU's numbers of fields (images/fdinfo.proto, regfile.proto, fown.proto).
_TYPE, _ID, _REGULAR = 1, 2, 3
_NUMBER, _FLAGS, _POSITION, _OWNER, _NAME, _MOUNT, _LENGTH, _FILE_MODE = 1, 2, 3, 5, 6, 7, 8, 10
_NOBODY = dict.fromkeys(range(1, 6), 0)
_REGULAR_FILE = 1


class Layer(typing.NamedTuple):
    """The layer with the memory.

    :param path: a tar archive, which nova-compute may read
    :param digest: SHA-256
    :param size: bytes of memory in it
    """

    path: pathlib.Path
    digest: str
    size: int


def move(settings: Settings, container: str) -> Layer | None:
    """Move the memory of a dump that is not signed yet; None if it has no large areas.

    :param container: the engine's id
    :raises LiveError: there is no dump, or it is not understood
    """
    folder = dumping.folder_of(settings, container)
    if not (folder / manifest.CRIU).is_dir():
        raise LiveError(f"there is no dump of container {container}")
    layer = folder / LAYER
    size = _move(folder / manifest.CRIU, layer, f"{_FOLDER}/{container[:_DIGITS]}")
    if not size:
        layer.unlink()
        return None
    places.hand_over(settings.group, {folder: 0o710, layer: 0o640})
    return Layer(layer, manifest.digest_of(layer), size)


def _move(criu: pathlib.Path, layer: pathlib.Path, inside: str) -> int:
    """Write the layer; the bytes of memory in it."""
    magic, files = images.read(criu / "files.img")
    root = _root(files)
    number = max(file.number(_ID) for file in files)
    size = 0
    with tarfile.open(layer, "x", format=tarfile.GNU_FORMAT) as archive:
        for folder in (_FOLDER, inside):
            archive.addfile(_entry(folder, 0o700, tarfile.DIRTYPE))
        for path in sorted(criu.glob("mm-*.img")):
            memory = Memory(criu, path)
            if memory.pieces:
                number += 1
                name = f"{inside}/{memory.process}"
                memory.add_to(archive, _entry(name, _MODE, tarfile.REGTYPE))
                memory.map(number)
                files.append(_file(number, f"/{name}", memory.length, root))
                size += memory.size
    images.write(criu / "files.img", magic, files)
    return size


def _root(files: list[images.Message]) -> int:
    """The number, as CRIU encodes it, of the mount that is the root of the container."""
    for file in files:
        found = images.Message(file.text(_REGULAR))
        if found.text(_NAME) == b"/" and _MOUNT in found.numbers:
            return found.number(_MOUNT)
    raise LiveError("no process has the root of the container open, so that no memory is mapped")


def _file(number: int, name: str, size: int, mount: int) -> images.Message:
    """A file that processes map; CRIU compares its size and mode with what it finds."""
    regular = images.Message().having(
        {
            _NUMBER: number,
            _FLAGS: os.O_RDONLY,
            _POSITION: 0,
            _OWNER: images.Message().having(_NOBODY).dump(),
            _NAME: name.encode(),
            _MOUNT: mount,
            _LENGTH: size,
            _FILE_MODE: stat.S_IFREG | _MODE,
        }
    )
    return images.Message().having({_TYPE: _REGULAR_FILE, _ID: number, _REGULAR: regular.dump()})


def _entry(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type = mode, kind
    return entry
