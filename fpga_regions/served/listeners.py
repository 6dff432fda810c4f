# SPDX-License-Identifier: Apache-2.0
"""The sockets of a region that is a process: made, asked, handed from one process to the next.

A container has a region's sockets by bind mount, and so reaches only what listens on these very
ones. The process behind a region hands its listening sockets to whoever asks it what it serves; the
next process goes on with them.
"""

import contextlib
import json
import pathlib
import socket
import time
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from fpga_regions.served import connections
from fpga_regions.system import sockets

CONTROL = "control"
#: Where a process is asked to close the connections of its clients.
DISCONNECT = "disconnect"
ANSWER_TIME = 2.0  # seconds; the answer is ready before it is asked for
PAUSE = 0.02  # seconds between two looks at a process that may be about to end
_MAX_ANSWER = 4096
_MOST = 16  # sockets of a region, see manifest.schema.json


def name(number: int) -> str:
    """The name of a socket for clients."""
    return f"fpga{number}"


def listen(folder: pathlib.Path, name: str, mode: int) -> socket.socket:
    """A listening socket in a folder."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        with sockets.short(folder) as short:
            listener.bind(f"{short}/{name}")
        (folder / name).chmod(mode)
        listener.listen(socket.SOMAXCONN)
    except BaseException:
        listener.close()
        raise
    return listener


def answer(control: pathlib.Path) -> Loaded | None:
    """What is answered on a socket; None if nobody serves it, or closes it without an answer.

    :raises OSError, ValueError, KeyError, TypeError: it is not an answer, or not in time
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            _connect(connection, control)
            data = _read_all(connection)
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
            return None
    if not data:
        return None
    fields = json.loads(data)
    return Loaded(str(fields["function"]), str(fields["digest"]))


def disconnect(path: pathlib.Path) -> None:
    """Have the process behind a socket close the connections of its clients.

    :raises errors.NoAnswer: it does not say so: it is gone, hangs, or is of an older release
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            _connect(connection, path)
            closed = _read_all(connection) == connections.CLOSED
        except OSError as e:
            raise errors.NoAnswer(f"its connections cannot be closed: {e}") from e
    if not closed:
        raise errors.NoAnswer("its process does not say that its connections are closed")


def handed_over(control: pathlib.Path) -> list[socket.socket]:
    """The listening sockets for clients of the process that serves a control socket, in order.

    Empty where it hands none over: it is gone, hangs, or is of an older release.
    """
    with socket.socket(socket.AF_UNIX) as connection, contextlib.ExitStack() as cleanup:
        try:
            _connect(connection, control)
            _, descriptors, _, _ = socket.recv_fds(connection, _MAX_ANSWER, _MOST)
        except OSError:
            return []
        found = [cleanup.enter_context(socket.socket(fileno=one)) for one in descriptors]
        names = [pathlib.Path(str(one.getsockname())).name for one in found]
        if names != [name(number) for number in range(len(found))]:
            return []
        if not all(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for one in found):
            return []
        cleanup.pop_all()
    return found


def wait_for_silence(
    folder: pathlib.Path, deadline: Deadline, handed: typing.Collection[str]
) -> None:
    """See that nobody serves the sockets in a folder, on record or not.

    :param handed: names of those that are in our own hands
    :raises errors.NotErased: somebody does
    """
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(folder.iterdir()):
            while path.name not in handed and path.is_socket() and sockets.served(path):
                if deadline.passed:
                    raise errors.NotErased(f"{path} is served by a process that is not on record")
                time.sleep(PAUSE)


def _connect(connection: socket.socket, path: pathlib.Path) -> None:
    connection.settimeout(ANSWER_TIME)
    with sockets.short(path.parent) as folder:
        connection.connect(f"{folder}/{path.name}")


def _read_all(connection: socket.socket) -> bytes:
    data = b""
    while (part := connection.recv(_MAX_ANSWER)) and len(data) < _MAX_ANSWER:
        data += part
    return data
