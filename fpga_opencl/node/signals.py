# SPDX-License-Identifier: Apache-2.0
"""Turns the signals that end a server into a descriptor, for its loop."""

import os
import signal


def termination() -> int:
    """A descriptor that is readable once the process is to end."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader
