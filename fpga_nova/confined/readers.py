# SPDX-License-Identifier: Apache-2.0
"""Runs a module of ours as a confined process that reads a file.

The module has `main(arguments)`, which gives the exit status. It is imported first, then gives up
its user (`start`), and only then reads: Python itself may lie where the user that it becomes cannot
read, and a reader opens nothing. So it must import all that it needs at its top.
"""

import dataclasses
import json
import os
import sys
import typing
from pathlib import Path

import fpga_nova
from fpga_nova.confined import confinement, processes
from fpga_nova.deadline import Deadline

_ROOT = Path(fpga_nova.__file__).parents[1]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from fpga_nova.confined import start; start.start(sys.argv[1:])"
)


def read(
    module: str,
    arguments: typing.Sequence[str],
    limits: confinement.Confinement,
    deadline: Deadline,
    file: typing.BinaryIO,
    keep: typing.Sequence[int] = (),
    packages: bool = True,
    most: int = processes.MAX_OUTPUT,
) -> processes.Finished:
    """Have a module read a file.

    :param module: its full name
    :param limits: whose `uid` it becomes if root starts it
    :param file: its standard input, at whatever position its descriptor is
    :param keep: descriptors that it inherits
    :param packages: whether it needs other packages than ours; it starts faster without
    :param most: bytes of its report at most
    :raises processes.TooLong: it did not end before the deadline
    :raises processes.Failed: it cannot be run
    """
    uid = limits.uid if os.geteuid() == 0 else None
    own = dataclasses.replace(limits, uid=None)
    python = [sys.executable, "-I", *([] if packages else ["-S"]), "-c", _BOOT, str(_ROOT)]
    argv = [*python, json.dumps(uid), module, *arguments]
    return own.run(argv, deadline, keep, processes.Place(input=file, grace=0, most=most))
