# SPDX-License-Identifier: Apache-2.0
"""The process behind a region of part `software`: serves one function written in software.

A client sends bytes, shuts down its sending side and reads the result to the end. Too much input,
or too long a silence, ends the connection without a result.
"""

import contextlib
import functools
import json
import select
import socket
import struct
import sys
import threading
import typing
import zlib

import lzallright

from fpga_regions.emulator import SOFTWARE
from fpga_regions.emulator.process import RefusedError, Settings, run
from fpga_regions.served import answers
from fpga_regions.served.answers import tell
from fpga_regions.served.connections import CLOSED, Connections

_CHUNK = 1 << 16
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


def prepare(settings: Settings, parameters: dict[str, typing.Any]) -> typing.Callable[[], None]:
    """What serves the function that a bitfile names.

    :raises RefusedError: it names none
    """
    core = choose(parameters["descriptor"])
    answer = answers.of(core, parameters["digest"])
    return functools.partial(serve, settings, CORES[core], answer)


def choose(descriptor: str) -> str:
    """The core that a bitfile names.

    :raises RefusedError: it is not a descriptor, is for another part, or names no known core
    """
    try:
        document = json.loads(descriptor)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or set(document) != {"part", "core"}:
        raise RefusedError("the bitfile is not a descriptor with part and core")
    if document["part"] != SOFTWARE:
        raise RefusedError(
            f"the bitfile is for part {document['part']}, the package for {SOFTWARE}"
        )
    if not isinstance(document["core"], str) or document["core"] not in CORES:
        raise RefusedError(f"the bitfile names an unknown core, {document['core']}")
    return str(document["core"])


def serve(settings: Settings, core: typing.Callable[[bytes], bytes], answer: bytes) -> None:
    """Serve clients side by side, and the driver whatever they do."""
    threading.stack_size(_STACK)
    listeners = [socket.socket(fileno=number) for number in settings.sockets]
    for listener in listeners:
        listener.setblocking(False)
    connections = Connections(listeners)
    for _ in range(settings.max_clients):
        arguments = (listeners, connections, core, settings)
        threading.Thread(target=_serve_clients, args=arguments, daemon=True).start()
    control = socket.socket(fileno=settings.control)
    disconnect = socket.socket(fileno=settings.disconnect)
    while True:
        ready, _, _ = select.select([control, disconnect], [], [])
        for one in ready:
            connection, _address = one.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_CONTROL_TIMEOUT)
                if one is control:
                    tell(connection, answer, settings.sockets)
                elif connections.close(_CONTROL_TIMEOUT):
                    connection.sendall(CLOSED)


def _serve_clients(
    listeners: list[socket.socket],
    connections: Connections,
    core: typing.Callable[[bytes], bytes],
    settings: Settings,
) -> None:
    while True:
        ready, _, _ = select.select(listeners, [], [])
        for listener in ready:
            # Another thread was faster, or the client went away.
            with (
                contextlib.suppress(OSError, MemoryError),
                connections.accepted(listener) as connection,
            ):
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
    sys.exit(run(sys.argv[1:], prepare))
