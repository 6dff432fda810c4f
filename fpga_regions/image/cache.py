# SPDX-License-Identifier: Apache-2.0
"""Keeps downloads by their digest, so that what a host burns again is fetched once.

A file is known by the digest of its data and is checked against it each time: whatever a crash, a
full disk or a loss of power left behind is noticed then, and fetched again. A download is written
under another name and gets its own when it is whole. Folder and files are for their owner alone.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
import typing
from pathlib import Path

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.system import folders, locks

#: Digests that are good enough to know a file by.
ALGORITHMS = frozenset({"sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512"})

_CHUNK = 1024 * 1024
_PART = ".part"
_LOCKS = "locks"
_ROOM = "room"


class Digest(typing.NamedTuple):
    """What data is known by: one of ALGORITHMS, and hexadecimal digits in lower case."""

    algorithm: str
    value: str

    @property
    def proper(self) -> bool:
        """Whether it can be one at all; nothing else gets into a file's name."""
        if self.algorithm not in ALGORITHMS:
            return False
        digits = hashlib.new(self.algorithm).digest_size * 2
        return len(self.value) == digits and set(self.value) <= set("0123456789abcdef")


class Cache:
    """The downloads that this host has.

    Any number of processes may use it at once; two that want the same data download it once.

    :param folder: where they are; made if need be
    :param limit: bytes that all of them may have together; 0 keeps none
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit

    def obtain(
        self,
        digest: Digest,
        download: typing.Callable[[typing.BinaryIO], None],
        deadline: Deadline,
    ) -> typing.BinaryIO:
        """The data of a digest, in a file that is open at its start.

        :param digest: must be proper
        :param download: writes the data to a file and checks it; called unless the data is here
        :param deadline: how long to wait for another process's download of it
        :raises errors.TimedOut: that took longer
        :raises OSError: it cannot be stored, or the folder is not ours alone
        """
        folders.make_private(self.folder)
        if not self._limit:
            return self._fetch_once(download)
        folders.make_private(self.folder / _LOCKS)
        known = self._find(digest)
        if known is not None:
            return known
        with self._locked(digest, deadline):
            return self._find(digest) or self._fetch(digest, download, deadline)

    def _fetch_once(self, download: typing.Callable[[typing.BinaryIO], None]) -> typing.BinaryIO:
        with contextlib.ExitStack() as cleanup:
            file = cleanup.enter_context(tempfile.TemporaryFile(dir=self.folder))
            download(file)
            file.seek(0)
            cleanup.pop_all()
        return file

    def _find(self, digest: Digest) -> typing.BinaryIO | None:
        """The file if it is here and is what its name says."""
        with contextlib.ExitStack() as cleanup:
            try:
                file = cleanup.enter_context(_open(self._path(digest), os.O_RDONLY))
            except FileNotFoundError:
                return None
            found = hashlib.new(digest.algorithm)
            while part := file.read(_CHUNK):
                found.update(part)
            if found.hexdigest() != digest.value:
                return None
            os.utime(file.fileno())  # what was used last goes last
            file.seek(0)
            cleanup.pop_all()
        return file

    def _fetch(
        self,
        digest: Digest,
        download: typing.Callable[[typing.BinaryIO], None],
        deadline: Deadline,
    ) -> typing.BinaryIO:
        path = self._path(digest)
        part = path.with_name(path.name + _PART)
        with contextlib.ExitStack() as cleanup:
            file = cleanup.enter_context(_open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            cleanup.callback(part.unlink, missing_ok=True)
            download(file)
            file.flush()
            self._keep(part, path, deadline)
            file.seek(0)
            cleanup.pop_all()
        return file

    def _keep(self, part: Path, path: Path, deadline: Deadline) -> None:
        """Give a finished download its name, and remove what was not used for longest."""
        size = part.stat().st_size
        with _held(self.folder / _LOCKS / _ROOM, deadline):
            path.unlink(missing_ok=True)  # it was not what its name said
            held = self._held(part)
            total = sum(status.st_size for _, status in held)
            for oldest, status in sorted(held, key=lambda one: one[1].st_mtime_ns):
                if total + size <= self._limit:
                    break
                oldest.unlink(missing_ok=True)
                total -= status.st_size
            if size <= self._limit:
                part.replace(path)
            else:
                part.unlink()

    def _held(self, own: Path) -> list[tuple[Path, os.stat_result]]:
        """The finished downloads; what dead processes began is removed on the way."""
        found = []
        for path in self.folder.iterdir():
            if path.name.endswith(_PART):
                if path != own:
                    self._remove_if_dead(path)
            else:
                with contextlib.suppress(FileNotFoundError):
                    found.append((path, path.lstat()))
        return [(path, status) for path, status in found if stat.S_ISREG(status.st_mode)]

    def _remove_if_dead(self, part: Path) -> None:
        digits = part.name.removesuffix(_PART)
        with contextlib.suppress(locks.NotLocked), locks.held(self._lock_path(digits)):
            part.unlink(missing_ok=True)

    def _path(self, digest: Digest) -> Path:
        return self.folder / f"{digest.algorithm}-{digest.value}"

    def _locked(
        self, digest: Digest, deadline: Deadline
    ) -> contextlib.AbstractContextManager[None]:
        return _held(self._lock_path(digest.value), deadline)

    def _lock_path(self, name: str) -> Path:
        # A lock file must never be removed; by the last two digits there are 256 at the most.
        return self.folder / _LOCKS / name[-2:]


@contextlib.contextmanager
def _held(path: Path, deadline: Deadline) -> typing.Iterator[None]:
    with contextlib.ExitStack() as lock:
        try:
            lock.enter_context(locks.held(path, deadline))
        except locks.NotLocked:
            raise errors.TimedOut(
                "another fpga-cli has been downloading the same image for more than "
                f"{deadline.seconds} seconds (fetch_timeout)"
            ) from None
        yield


def _open(path: Path, flags: int) -> typing.BinaryIO:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode=0o600)
    return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb")
