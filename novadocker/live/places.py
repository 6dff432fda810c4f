# SPDX-License-Identifier: Apache-2.0
"""Root's own folders: who may read what is there, and how a dump leaves them at once."""

import contextlib
import grp
import os
import pathlib
import stat
import typing

from fpga_nova.confined import folders
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings


def prepare(settings: Settings) -> None:
    """Make the folders that are missing, whichever program is the first on a host.

    nova-compute goes through them to what it may read, and sees which containers are suspended.

    :raises LiveError: one is somebody else's
    """
    for path in (settings.state, settings.spool, settings.suspended("")):
        _make(path, 0o711)
    _make(settings.work, 0o700)


def remove(settings: Settings, path: pathlib.Path) -> None:
    """Remove a folder of these; none is as good.

    Nobody finds a part of it: it leaves its place whole. What a program that was killed had not
    removed yet is in the folder for work, and the next one removes it.
    """
    if not os.path.lexists(path):
        return
    prepare(settings)
    with folders.fresh(settings.work, "gone-") as gone, contextlib.suppress(FileNotFoundError):
        path.rename(gone / "dump")


def hand_over(group: str, modes: typing.Mapping[pathlib.Path, int]) -> None:
    """Have a group read what is nova-compute's, and only that.

    :raises LiveError: there is no such group
    """
    number = group_of(group)
    for path, mode in modes.items():
        os.chown(path, 0, number)
        path.chmod(mode)


def group_of(name: str) -> int:
    """The number of a group.

    :raises LiveError: there is no such group
    """
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as e:
        raise LiveError(f"there is no group {name}") from e


def _make(folder: pathlib.Path, mode: int) -> None:
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    status = folder.lstat()
    # What is restored from here is not signed.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LiveError(f"{folder} is not a folder of root's: chown root {folder}")
    folder.chmod(mode)
