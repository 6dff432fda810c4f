# SPDX-License-Identifier: Apache-2.0
"""What the process behind a region says to the driver that started it."""

import json
import socket
import typing

#: The first word that it prints: it serves, what it was given cannot be run now or later, the model
#: of that does not run but another one may, or anything else went wrong.
READY, REFUSED, BROKEN, FAILED = "ready", "refused", "broken", "failed"


def of(function: str, digest: str) -> bytes:
    """What it answers on its control socket."""
    return json.dumps({"function": function, "digest": digest}).encode()


def tell(connection: socket.socket, answer: bytes, sockets: typing.Sequence[int]) -> None:
    """Answer the driver, and hand it the sockets of clients, which it drops unless it wants them.

    :raises OSError: it is gone
    """
    socket.send_fds(connection, [answer], list(sockets))


def fail(word: str, error: Exception) -> int:
    """Print why nothing is served; the exit status."""
    print(word, " ".join(str(error).split()) or type(error).__name__, flush=True)
    return 1
