# SPDX-License-Identifier: Apache-2.0
"""Gives a command to the region manager that serves this host; without one, does it here.

It imports little, because this is all that most calls do. The process that the server starts for a
command has this process's arguments, environment, working directory and standard streams, and
signals are passed on to it. So nothing else differs from a command that is done here.

Messages on the connection, in this order: READY of the server; the request; BEGUN of the command's
process; numbers of signals for it, a byte each; its exit status in decimal digits, negative for a
signal. While there is no BEGUN, nothing was begun, and the command can be done here.
"""

import contextlib
import json
import os
import signal
import socket
import struct

TYPE_CHECKING = False  # as typing has it, which takes time to load
if TYPE_CHECKING:
    import types
    from collections.abc import Callable

    Handler = Callable[[int, types.FrameType | None], object] | int | signal.Handlers | None

#: The socket's name in `runtime_dir`.
SOCKET = "manager.socket"
READY, BEGUN = b"ready", b"begun"
#: Bytes that a request may have; a longer one is not made.
MAX_REQUEST = 128 * 1024
#: Signals that undo what a command has begun.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: What the server takes.
VERBS = frozenset(
    (
        *("burn", "erase", "status", "describe", "events", "reconcile"),
        *("hold", "quarantine", "release", "replace", "prepare", "disconnect"),
    )
)

DEFAULT_FILE = "/etc/fpga-nova/fpga-cli.conf"
_DEFAULT_FOLDER = "/run/fpga-nova"
_PATIENCE = 1.0  # seconds for READY; a server that is busy with its own start is not waited for
_CREDENTIALS = struct.Struct("3i")  # struct ucred, unix(7)


def ask(arguments: list[str]) -> int | None:
    """Have the server do a command; gives its exit status, or None if it was not begun.

    :param arguments: those after the command's name
    """
    config_file, verb = _split(arguments)
    return _by_server(arguments, config_file) if verb in VERBS else None


def identity(config_file: str | None) -> str:
    """What a configuration file is known by to both sides."""
    return os.path.realpath(config_file or DEFAULT_FILE)


def user_of(connection: socket.socket) -> int:
    """The user at the other end of a connection."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(found)[1]
    return user


def die(number: int) -> int:
    """Die of a signal, so that whoever started the command sees that it did."""
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _split(arguments: list[str]) -> tuple[str | None, str | None]:
    """The configuration file and the verb that a command line names."""
    config_file, words = None, iter(arguments)
    for word in words:
        if word == "--config-file":
            config_file = next(words, None)
        elif word.startswith("--config-file="):
            config_file = word.partition("=")[2]
        elif word != "--debug":
            return config_file, word
    return config_file, None


def _by_server(arguments: list[str], config_file: str | None) -> int | None:
    """The exit status; None where the command was not begun."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    passed_on: list[int] = []
    try:
        with _connected(_folder(config_file)) as connection:
            descriptor = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                request = _request(arguments, config_file)
                socket.send_fds(connection, [request], [0, 1, 2, descriptor])
            finally:
                os.close(descriptor)
            handlers = _pass_on(connection, passed_on)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = _follow(connection)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    except (OSError, ValueError):
        code = None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return die(passed_on[0]) if code is None and passed_on else code


def _folder(config_file: str | None) -> str:
    """Where the server's socket is.

    A guess is good enough here: a server takes commands of its own configuration only.
    """
    with open(config_file or DEFAULT_FILE) as file:  # noqa: PTH123 - pathlib takes time to load
        for line in file:
            name, _, value = line.partition("=")
            if name.strip() == "runtime_dir":
                return value.strip()
    return _DEFAULT_FOLDER


def _connected(folder: str) -> socket.socket:
    """A connection to a server of our own user that is ready.

    :raises OSError: there is none
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(_PATIENCE)
        # A socket's address has room for 107 bytes.
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
        finally:
            os.close(descriptor)
        if user_of(connection) != os.geteuid() or connection.recv(len(READY)) != READY:
            raise ConnectionRefusedError
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection


def _request(arguments: list[str], config_file: str | None) -> bytes:
    """The request.

    :raises ValueError: it would be too long
    """
    request = {
        "configuration": identity(config_file),
        "arguments": arguments,
        "environment": dict(os.environ),
        "ignored": [n for n in SIGNALS if signal.getsignal(n) == signal.SIG_IGN],
    }
    text = json.dumps(request).encode()
    if len(text) > MAX_REQUEST:
        raise ValueError("the request is too long")
    return text


def _pass_on(connection: socket.socket, passed_on: list[int]) -> "dict[int, Handler]":
    """Pass signals on from now on; the handlers that there were."""

    def handle(number: int, _frame: object) -> None:
        passed_on.append(number)
        # It may have ended, or its server may have: either is seen when it is followed.
        with contextlib.suppress(OSError):
            connection.send(bytes([number]))

    return {
        number: signal.signal(number, handle)
        for number in SIGNALS
        if signal.getsignal(number) != signal.SIG_IGN
    }


def _follow(connection: socket.socket) -> int | None:
    """The exit status of the command; None where it was not begun."""
    if _message(connection) != BEGUN:
        return None
    status = _message(connection)
    if not status:
        # The server died, and with it, of SIGTERM, the command, which says so itself.
        return die(signal.SIGTERM)
    code = int(status)
    return code if code >= 0 else die(-code)


def _message(connection: socket.socket) -> bytes:
    """The next message; empty if there is none any more."""
    try:
        return connection.recv(16)
    except ConnectionResetError:
        # The other end closed without reading a signal; what it sent before is there still.
        return connection.recv(16)
