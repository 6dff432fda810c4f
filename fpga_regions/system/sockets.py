# SPDX-License-Identifier: Apache-2.0
"""Reaches Unix sockets in folders with long names."""

import contextlib
import os
import socket
import typing
from pathlib import Path

_CONNECT_TIME = 1.0  # seconds; a server whose queue is full is one all the same


@contextlib.contextmanager
def short(folder: Path) -> typing.Iterator[str]:
    """A short name of a folder: a socket's address has room for 107 bytes (unix(7)).

    :raises OSError: it is not there, or no folder
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def served(path: Path) -> bool:
    """Whether something serves a socket, or that cannot be known: False only if nothing does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_TIME)
        try:
            with short(path.parent) as folder:
                connection.connect(f"{folder}/{path.name}")
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return False
        except OSError:
            return True
        return True
