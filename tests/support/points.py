# SPDX-License-Identifier: Apache-2.0
"""Calls a function in a process of its own and kills that at the n-th point that it passes.

A point is the moment before or after the call of one of some other functions.
"""

import importlib
import multiprocessing
import os
import signal
import socket
import sys
import typing
from pathlib import Path

from fpga_regions.command import client, server

_FORK = multiprocessing.get_context("fork")


def killed(call: typing.Callable[[], object], targets: typing.Sequence[str], at: int) -> bool:
    """Call it in another process; whether that was killed, and did not come to its end before.

    :param targets: functions, "module:Class.function"
    :param at: which point to be killed at, from 1
    """
    process = _FORK.Process(target=_child, args=(call, targets, at))
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), f"it ended with {process.exitcode}"
    return process.exitcode != 0


def killed_in_server(
    call: typing.Callable[[], object], targets: typing.Sequence[str], at: int, config_file: Path
) -> bool:
    """The same in the process that a server starts for a client, which says how it ended.

    :param config_file: whose runtime_dir is the folder `run` beside it
    """
    path = config_file.parent / "run" / client.SOCKET
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        serving = _FORK.Process(target=_serve, args=(listener, call, targets, at, config_file))
        serving.start()
    asking = _FORK.Process(target=_ask, args=(config_file,))
    asking.start()
    asking.join(60)
    serving.terminate()
    serving.join(60)
    path.unlink()
    assert asking.exitcode in (0, -signal.SIGKILL), f"it ended with {asking.exitcode}"
    return asking.exitcode != 0


def _serve(
    listener: socket.socket,
    call: typing.Callable[[], object],
    targets: typing.Sequence[str],
    at: int,
    config_file: Path,
) -> None:
    def work(_arguments: list[str]) -> int:
        _child(call, targets, at)
        return 0

    server.Server(listener, work, client.identity(str(config_file))).run()


def _ask(config_file: Path) -> None:
    # A server that the machine has not let start yet is waited for.
    client._PATIENCE = 30.0
    code = client.ask(["--config-file", str(config_file), "burn"])
    sys.exit(99 if code is None else code)


def _child(call: typing.Callable[[], object], targets: typing.Sequence[str], at: int) -> None:
    points = _Points(at)
    for target in targets:
        points.arm(target)
    call()


class _Points:
    def __init__(self, at: int) -> None:
        self._remaining = at

    def arm(self, target: str) -> None:
        """Have the moments before and after a function be points."""
        module, _, path = target.partition(":")
        holder = importlib.import_module(module)
        *classes, name = path.split(".")
        for one in classes:
            holder = getattr(holder, one)
        real = getattr(holder, name)

        def call(*arguments: typing.Any, **more: typing.Any) -> typing.Any:
            self._pass()
            result = real(*arguments, **more)
            self._pass()
            return result

        setattr(holder, name, call)

    def _pass(self) -> None:
        self._remaining -= 1
        if self._remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
