# SPDX-License-Identifier: Apache-2.0
"""What must outlast a loss of power."""

import os
import pathlib

#: How the name of a file ends that is not whole yet.
UNFINISHED = ".new"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(path: pathlib.Path, content: bytes, mode: int | None = None) -> None:
    """Put a file in its place: a reader finds the old or the new, never a part.

    It is on disk when this returns. It is for one writer at a time.

    :param mode: the permissions of the file, from its first byte on, whatever the umask is; None
        for the usual ones
    :raises OSError: it cannot be written; what was there is unchanged
    """
    new = path.with_name(path.name + UNFINISHED)
    new.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(new, _FLAGS, 0o666 if mode is None else mode), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: pathlib.Path) -> None:
    """Have the names in a folder on disk when it returns; fsync(2) of a file is not enough."""
    _sync(folder, os.O_DIRECTORY)


def sync_tree(folder: pathlib.Path) -> None:
    """Have all plain files and folders below a folder on disk when it returns, and itself."""
    for parent, _folders, names in os.walk(folder):
        for name in names:
            _sync(pathlib.Path(parent, name))
        sync_folder(pathlib.Path(parent))


def _sync(path: pathlib.Path, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
