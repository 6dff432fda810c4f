# SPDX-License-Identifier: Apache-2.0
"""Folders that nobody but their owner can change."""

import contextlib
import errno
import os
import stat
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder that nobody else can enter, or see to it that one that is there is such.

    :raises OSError: it cannot be made, is something else than a folder, or belongs to another
        user, who could change what is in it
    """
    if _create(folder, 0o700) != 0o700:
        folder.chmod(0o700)


def make_public(folder: Path) -> None:
    """The same with a folder that others may look into.

    :raises OSError: besides, that others may write what is in it
    """
    if _create(folder, 0o755) & 0o022:
        raise OSError(errno.EPERM, f"others may write in {folder}")


def _create(folder: Path, mode: int) -> int:
    """Make it if need be; the mode that it has."""
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
    if status.st_uid != os.geteuid():
        raise OSError(
            errno.EPERM,
            f"{folder} belongs to the user {status.st_uid}, not to {os.geteuid()} who runs this",
        )
    return stat.S_IMODE(status.st_mode)
