# SPDX-License-Identifier: Apache-2.0
"""Runs a module of ours as a confined process that reads a file.

The module has `main(arguments)`, which gives the exit status. It is imported first, then gives up
what it does not need (`_give_up`), and only then reads: Python itself may lie where the user that
it becomes cannot read.
"""

import ctypes
import dataclasses
import importlib
import json
import os
import resource
import sys
import typing
from pathlib import Path

import fpga_nova
from fpga_nova.confined import confinement, processes
from fpga_nova.deadline import Deadline

_ROOT = Path(fpga_nova.__file__).parents[1]
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from fpga_nova.confined import readers; readers._start(sys.argv[1:])"
)
_PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


def read(
    module: str,
    arguments: typing.Sequence[str],
    limits: confinement.Confinement,
    deadline: Deadline,
    file: typing.BinaryIO,
    keep: typing.Sequence[int] = (),
) -> processes.Finished:
    """Have a module read a file.

    :param module: its full name
    :param limits: whose `uid` it becomes if root starts it
    :param file: its standard input, at whatever position its descriptor is
    :param keep: descriptors that it inherits
    :raises processes.TooLong: it did not end before the deadline
    :raises processes.Failed: it cannot be run
    """
    uid = limits.uid if os.geteuid() == 0 else None
    own = dataclasses.replace(limits, uid=None)
    argv = [sys.executable, "-I", "-c", _BOOT, str(_ROOT), json.dumps(uid), module, *arguments]
    return own.run(argv, deadline, keep, processes.Place(input=file, grace=0))


def _start(arguments: list[str]) -> typing.NoReturn:
    uid, module = json.loads(arguments[0]), importlib.import_module(arguments[1])
    _give_up(uid)
    sys.exit(module.main(arguments[2:]))


def _give_up(uid: int | None) -> None:
    """Become an ordinary process that starts no other."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
