# SPDX-License-Identifier: Apache-2.0
"""Calls a function in a process of its own and kills that at the n-th point that it passes.

A point is the moment before or after the call of one of some other functions.
"""

import importlib
import multiprocessing
import os
import signal
import typing

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
