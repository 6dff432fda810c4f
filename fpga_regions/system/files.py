# SPDX-License-Identifier: Apache-2.0
"""Reads the files that people name: regular files only, and no more of them than is allowed."""

import io
import os
import pathlib
import stat

from fpga_regions import errors


def opened(path: pathlib.Path) -> io.BufferedReader:
    """A regular file, to be read.

    :raises errors.BadPackage: it cannot be read, or is a folder, a device, a pipe or a socket
    """
    try:
        # Not waiting for whoever writes a pipe, who may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else e
        raise errors.BadPackage(f"{path} cannot be read: {why}") from e
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise errors.BadPackage(f"{path} cannot be read: it is not a file")
    return os.fdopen(descriptor, "rb")


def content(path: pathlib.Path, limit: int, option: str) -> bytes:
    """What is in a regular file.

    :param limit: bytes that it may have
    :param option: what sets the limit, for the message
    :raises errors.BadPackage: it cannot be read, is no regular file, or has more bytes
    """
    with opened(path) as file:
        try:
            data = file.read(limit + 1)
        except OSError as e:
            raise errors.BadPackage(f"{path} cannot be read: {e.strerror}") from e
    if len(data) > limit:
        raise errors.BadPackage(f"{path} is over {limit} bytes ({option})")
    return data
