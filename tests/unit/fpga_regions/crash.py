# SPDX-License-Identifier: Apache-2.0
"""Runs fpga-cli and kills it, as a loss of power would, before or after the call of a function.

crash.py before|after NUMBER MODULE:CLASS.FUNCTION ARGUMENT...
"""

import importlib
import os
import signal
import sys
import typing

from fpga_regions.command import main


def _arm(when: str, number: int, target: str) -> None:
    module, _, path = target.partition(":")
    holder = importlib.import_module(module)
    *classes, name = path.split(".")
    for one in classes:
        holder = getattr(holder, one)
    real = getattr(holder, name)
    remaining = number

    def call(*arguments: typing.Any, **more: typing.Any) -> typing.Any:
        nonlocal remaining
        remaining -= 1
        if remaining == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **more)
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, name, call)


if __name__ == "__main__":
    _arm(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    sys.exit(main.main(sys.argv[4:]))
