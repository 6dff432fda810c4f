# SPDX-License-Identifier: Apache-2.0
"""What a daemon and the service manager say to each other: sd_listen_fds(3) and sd_notify(3)."""

import contextlib
import os
import socket

_FIRST = 3  # SD_LISTEN_FDS_START


def activated() -> socket.socket | None:
    """The listening socket that the service manager handed over; None if it did not."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    os.set_inheritable(_FIRST, False)
    return socket.socket(fileno=_FIRST)


def hand_over(listener: socket.socket) -> None:
    """Have the program that this process becomes find a listening socket as `activated` does."""
    if listener.fileno() != _FIRST:
        os.dup2(listener.fileno(), _FIRST)
    os.set_inheritable(_FIRST, True)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}


def notify(state: str) -> None:
    """Tell the service manager of a state ("READY=1"), if there is one that asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        manager.send(state.encode())
