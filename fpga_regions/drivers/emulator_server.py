# SPDX-License-Identifier: Apache-2.0
"""The process behind one emulated region: serves one function on sockets that it is handed.

Started by the emulator driver as a script of its own, with `python -I`, so that it holds nothing
of fpga-cli. It imports what its functions need, gives up root, and only then reads the bitfile:

1. arguments: the region's id and, as JSON, the limits (`Settings`); the listening sockets are open
   descriptors;
2. standard input: the descriptor of the bitfile and its digest as JSON, to the end. If the driver
   dies before it has sent all, nothing is ever served;
3. standard output: `ready`, or one line that says why not.

A client sends bytes, shuts down its sending side and reads the result to the end. Too much input,
or too long a silence, ends the connection without a result.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import pwd
import resource
import select
import socket
import struct
import sys
import threading
import typing
import zlib

import lzallright

_CHUNK = 1 << 16
_PR_SET_NO_NEW_PRIVS = 38  # <linux/prctl.h>
_MAX_LOG = 1 << 20
_STACK = 1 << 19
_CONTROL_TIMEOUT = 5  # seconds

#: What each core makes of its input.
CORES: dict[str, typing.Callable[[bytes], bytes]] = {
    # One LZO1X stream, without a header.
    "lzo1x_compress": lambda data: bytes(lzallright.LZOCompressor().compress(data)),
    # CRC-32 of IEEE 802.3, four bytes, the most significant first.
    "crc32": lambda data: struct.pack(">I", zlib.crc32(data)),
    "passthrough": bytes,
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the driver decides.

    :param user: who the process becomes if it is started by root
    :param sockets: descriptors of the listening sockets that clients reach
    :param control: descriptor of the listening socket on which the driver asks for the function
    """

    user: str
    part: str
    sockets: list[int]
    control: int
    max_input: int
    max_clients: int
    client_timeout: int
    max_memory: int


class RefusedError(Exception):
    """The bitfile cannot be run here."""


def main(arguments: list[str]) -> int:
    """Serve a region until the process is told to end."""
    settings = Settings(**json.loads(arguments[1]))
    try:
        drop_privileges(settings)
        told = json.loads(sys.stdin.buffer.read())
        core = choose(told["descriptor"], settings.part)
    except (RefusedError, OSError, ValueError, KeyError, TypeError) as e:
        print(" ".join(str(e).split()) or type(e).__name__, flush=True)
        return 1
    answer = json.dumps({"function": core, "digest": told["digest"]}).encode()
    print("ready", flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    serve(settings, CORES[core], answer)
    return 0


def choose(descriptor: str, part: str) -> str:
    """The core that a bitfile names.

    :raises RefusedError: it is not a descriptor, is for another part, or names no known core
    """
    try:
        told = json.loads(descriptor)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or set(told) != {"part", "core"}:
        raise RefusedError("the bitfile is not a descriptor with part and core")
    if told["part"] != part:
        raise RefusedError(f"the bitfile is for part {told['part']}, the region is {part}")
    if not isinstance(told["core"], str) or told["core"] not in CORES:
        raise RefusedError(f"the bitfile names an unknown core, {told['core']}")
    return str(told["core"])


def drop_privileges(settings: Settings) -> None:
    """Become an ordinary process that cannot harm the host, before anything foreign is read.

    :raises OSError: it is not possible
    """
    os.chdir("/")
    os.umask(0o077)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _MAX_LOG),
        (resource.RLIMIT_NOFILE, 64 + settings.max_clients),
        (resource.RLIMIT_AS, settings.max_memory),
    ):
        resource.setrlimit(limit, (most, most))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs is refused")
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(settings.user)
    except KeyError:
        raise OSError(f"there is no user {settings.user}") from None
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    if user.pw_uid == 0 or 0 in os.getresuid():
        raise OSError(f"the user {settings.user} is root")


def serve(settings: Settings, core: typing.Callable[[bytes], bytes], answer: bytes) -> None:
    """Serve clients side by side, and the driver whatever they do."""
    threading.stack_size(_STACK)
    listeners = [socket.socket(fileno=number) for number in settings.sockets]
    for listener in listeners:
        listener.setblocking(False)
    for _ in range(settings.max_clients):
        arguments = (listeners, core, settings)
        threading.Thread(target=_serve_clients, args=arguments, daemon=True).start()
    control = socket.socket(fileno=settings.control)
    while True:
        connection, _address = control.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_CONTROL_TIMEOUT)
            connection.sendall(answer)


def _serve_clients(
    listeners: list[socket.socket], core: typing.Callable[[bytes], bytes], settings: Settings
) -> None:
    while True:
        ready, _, _ = select.select(listeners, [], [])
        for listener in ready:
            try:
                connection, _address = listener.accept()
            except OSError:
                continue  # another thread was faster, or the client went away
            with connection, contextlib.suppress(OSError, MemoryError):
                connection.settimeout(settings.client_timeout)
                _answer(connection, core, settings.max_input)


def _answer(
    connection: socket.socket, core: typing.Callable[[bytes], bytes], max_input: int
) -> None:
    data = bytearray()
    while part := connection.recv(_CHUNK):
        data += part
        if len(data) > max_input:
            return
    connection.sendall(core(bytes(data)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
