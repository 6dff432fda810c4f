# SPDX-License-Identifier: Apache-2.0
"""Folders that last as long as their process; those of dead processes are swept away.

A folder is locked for as long as it is used. The kernel drops the lock when its process dies,
however it dies, so an unlocked folder is a dead process's.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import typing
import uuid
from pathlib import Path


@contextlib.contextmanager
def fresh(parent: Path, prefix: str = "") -> typing.Iterator[Path]:
    """A new folder, gone afterwards; those that dead processes left are removed, too.

    :param parent: exists, and only we may write in it
    :param prefix: of its name, and of those that are swept away
    """
    with contextlib.ExitStack() as ours:
        # Nobody may take the folder for a dead process's before it is locked.
        with held(parent, fcntl.LOCK_EX) as locked:
            if locked:
                _sweep(parent, prefix)
            folder = parent / f"{prefix}{uuid.uuid4().hex}"
            folder.mkdir(mode=0o700)
            ours.callback(shutil.rmtree, folder)
            ours.enter_context(held(folder))
        yield folder


def sweep(parent: Path, prefix: str) -> list[str]:
    """Remove the folders that dead processes left.

    :returns: their names
    :raises OSError: the parent cannot be locked or read
    """
    with held(parent, fcntl.LOCK_EX) as locked:
        return _sweep(parent, prefix) if locked else []


def _sweep(parent: Path, prefix: str) -> list[str]:
    swept = []
    for folder in parent.glob(f"{prefix}*"):
        # Whether a folder that cannot be locked is in use is not known; it stays.
        with contextlib.suppress(OSError), held(folder) as locked:
            if locked:
                shutil.rmtree(folder)
                swept.append(folder.name)
    return swept


@contextlib.contextmanager
def held(folder: Path, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> typing.Iterator[bool]:
    """Lock a folder; gives False where its file system has no such locks, as NFS has none."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        yield _lock(descriptor, how)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except OSError as e:
        if e.errno not in (errno.EBADF, errno.ENOLCK, errno.ENOTSUP):
            raise
        return False
    return True
