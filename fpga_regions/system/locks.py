# SPDX-License-Identifier: Apache-2.0
"""Locks between processes, with an end to the waiting.

`flock`, because the kernel lets go of it when its process dies, however it dies: a region that the
ledger shows at work while nobody holds its lock belongs to a dead process. One lock for each
region, so that two regions are programmed side by side.
"""

import contextlib
import fcntl
import os
import time
import typing
from pathlib import Path

from fpga_nova.deadline import Deadline

_PAUSE = 0.02  # seconds between two tries


class NotLocked(Exception):
    """Somebody else holds the lock."""


@contextlib.contextmanager
def held(
    path: Path, deadline: Deadline | None = None, condition: typing.Callable[[], bool] | None = None
) -> typing.Iterator[int]:
    """Hold the lock on a file, which is made if need be and never removed.

    Gives the lock's descriptor: a process that inherits it holds the lock for as long as it runs.

    :param deadline: how long to wait for it; None to try once
    :param condition: asked before each further try; waiting ends when it says False
    :raises NotLocked: somebody else held it until then
    :raises OSError: the file cannot be opened
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode=0o600)
    try:
        while not _try(descriptor):
            if deadline is None or deadline.passed or (condition is not None and not condition()):
                raise NotLocked
            time.sleep(_PAUSE)
        yield descriptor
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
