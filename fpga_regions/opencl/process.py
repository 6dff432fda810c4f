# SPDX-License-Identifier: Apache-2.0
"""The process behind a region: a node server of OpenCL on the region's socket, or the way to one.

It stays root's, because it makes a confined worker for each client. It reads nothing that clients
send, and a worker of its own tries the package's binary first.
"""

import contextlib
import dataclasses
import functools
import json
import os
import socket
import sys
import typing
from pathlib import Path

from fpga_opencl.node import signals, trial
from fpga_opencl.node.server import Server
from fpga_opencl.node.settings import Settings
from fpga_opencl.node.trial import Result
from fpga_regions.opencl.way import Way
from fpga_regions.served import answers

_CONTROL_TIMEOUT = 5  # seconds
_COMPLAINTS = {
    Result.NO_DEVICE: "OpenCL on this host has no such device",
    Result.NO_BINARY: "OpenCL on this host does not take the binary",
}


class _Refused(Exception):
    """The device does not take what was to be programmed."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the driver decides.

    :param sockets: descriptor of the listening socket that clients reach, alone in a list
    :param control: descriptor of the listening socket on which the driver asks for the function
    :param folder: an empty one, for workers' roots
    :param sessions: clients at once
    :param worker: of each worker, see `Settings`
    :param agent: path of the socket of the agent to which clients go; None where they stay here
    """

    sockets: list[int]
    control: int
    folder: str
    sessions: int
    worker: dict[str, typing.Any]
    agent: str | None = None


def main(arguments: list[str]) -> int:
    """Serve a region until SIGTERM.

    :param arguments: the region's id and, as JSON, the limits
    :returns: the exit status
    """
    end = signals.termination()
    try:
        limits = Limits(**json.loads(arguments[1]))
        server = _prepare(limits, json.loads(sys.stdin.buffer.read()))
    except _Refused as e:
        return answers.fail(answers.REFUSED, e)
    except (OSError, ValueError, KeyError, TypeError) as e:
        return answers.fail(answers.FAILED, e)
    print(answers.READY, flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    server.serve(end)
    return 0


def _prepare(limits: Limits, parameters: dict[str, typing.Any]) -> Server | Way:
    """A server for what was programmed, which the device takes.

    :param parameters: function and digest; whether source is compiled; the descriptor of a binary
    """
    digest = str(parameters["digest"])
    source = bool(parameters["source"])
    listener = socket.socket(fileno=limits.sockets[0])
    control = socket.socket(fileno=limits.control)
    server: Server | Way
    if limits.agent is not None:
        server = Way(limits.agent, listener, limits.sessions)
    else:
        binaries = None if source else frozenset([digest.removeprefix("sha256:")])
        settings = Settings(**limits.worker, source=source, binaries=binaries)
        _try(limits, settings, parameters["binary"])
        server = Server(listener, Path(limits.folder), settings, limits.sessions, together=True)
    answer = answers.of(str(parameters["function"]), digest)
    server.attend(control, functools.partial(_answer, control, answer, limits.sockets))
    return server


def _try(limits: Limits, settings: Settings, descriptor: int | None) -> None:
    binary = None
    if descriptor is not None:
        with os.fdopen(descriptor, "rb") as file:
            binary = file.read()
    result = trial.attempt(settings, limits.folder, binary)
    if result == Result.NO_BINARY:
        raise _Refused(_COMPLAINTS[result])
    if result != Result.DONE:
        raise OSError(_COMPLAINTS.get(result, "no worker can be confined"))


def _answer(control: socket.socket, answer: bytes, sockets: list[int]) -> None:
    with contextlib.suppress(OSError):
        connection, _ = control.accept()
        with connection:
            connection.settimeout(_CONTROL_TIMEOUT)
            answers.tell(connection, answer, sockets)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
