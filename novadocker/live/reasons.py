# SPDX-License-Identifier: Apache-2.0
"""Puts CRIU's reasons in plain words, for the owner of a server."""

import re

_MEANINGS = {
    r"External socket is used|Can't dump half of stream unix": (
        "a process is connected to a socket of the host, such as that of its FPGA region; close "
        "the connection first"
    ),
    r"of that type \[2\d{4}\]|chr.*dev|Can't dump.*device": (
        "a process has a device open; close it first"
    ),
    r"tracing|already traced|Unable to seize|seize task|found while seizing": (
        "a process is being traced, as by a debugger"
    ),
    r"io_uring|userfaultfd|perf_event": "a process uses what CRIU does not dump",
}


def meaning(reason: str) -> str:
    """A reason of CRIU's in plain words."""
    found = (text for pattern, text in _MEANINGS.items() if re.search(pattern, reason))
    return next(found, "the container has something that cannot be dumped")
