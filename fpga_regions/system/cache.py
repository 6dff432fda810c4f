# SPDX-License-Identifier: Apache-2.0
"""Keeps what was made of packages and bitstreams, by key, within a bound.

Only its owner can look inside.
"""

import contextlib
import hashlib
import os
import typing
import uuid
from pathlib import Path

from fpga_regions.system import folders

_UNFINISHED = ".new"


def key(*parts: str) -> str:
    """One name for what depends on all of these."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)} {part}".encode())
    return digest.hexdigest()


class Cache:
    """A folder of files that can be made again; those not used for longest go first.

    :param max_size: bytes that all of them may have together
    """

    def __init__(self, folder: Path, max_size: int) -> None:
        self._folder = folder
        self._max_size = max_size

    def get(self, name: str) -> typing.BinaryIO | None:
        """The content of that name, open: it stays usable, whatever happens to the cache.

        A file whose content is not the one that was put there is removed.

        :param name: letters and digits, a full stop, letters
        """
        for path in self._files(name):
            with contextlib.suppress(FileNotFoundError):
                if (file := _whole(path)) is not None:
                    return file
                path.unlink()
        return None

    def all(self, kind: str) -> typing.Iterator[typing.BinaryIO]:
        """All contents of a kind, each open; not checked, and not taken for used.

        :param kind: what their names end with
        """
        for path in sorted(self._folder.glob(f"*-*.{kind}")):
            with contextlib.suppress(FileNotFoundError):
                yield path.open("rb")

    def put(self, name: str, content: bytes) -> typing.BinaryIO:
        """Keep a content, and give it as a file that anybody who is handed it may run."""
        folders.make_private(self._folder)
        new = self._folder / f"{uuid.uuid4().hex}{_UNFINISHED}"
        stem, _, kind = name.partition(".")
        path = self._folder / f"{stem}-{hashlib.sha256(content).hexdigest()}.{kind}"
        try:
            with new.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.chmod(0o555)
            opened = new.open("rb")
            new.rename(path)
        finally:
            new.unlink(missing_ok=True)
        for other in self._files(name):
            if other != path:
                other.unlink(missing_ok=True)
        self._shrink()
        return opened

    def remove(self, name: str) -> None:
        """Forget a content."""
        for path in self._files(name):
            path.unlink(missing_ok=True)

    def _files(self, name: str) -> list[Path]:
        stem, _, kind = name.partition(".")
        return sorted(self._folder.glob(f"{stem}-*.{kind}"))

    def _shrink(self) -> None:
        found = []
        for path in self._folder.iterdir():
            # Another process may be removing it.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        size = sum(one[1] for one in found)
        for _, one_size, path in sorted(found):
            if size <= self._max_size:
                return
            path.unlink(missing_ok=True)
            size -= one_size


def _whole(path: Path) -> typing.BinaryIO | None:
    """A file, open at its start; None unless it has the digest that its name says.

    What a crash, a full disk or a failing one did to a file does no harm then: it is made again.
    """
    digest = path.name.partition(".")[0].rpartition("-")[2]
    file = path.open("rb")
    with contextlib.suppress(OSError):
        if hashlib.file_digest(file, "sha256").hexdigest() == digest:
            file.seek(0)
            os.utime(file.fileno())
            return file
    file.close()
    return None
