# SPDX-License-Identifier: Apache-2.0
"""Tries a host's OpenCL in a worker without a client: has it the device, does that take a binary.

All that comes out of the worker is its exit status, because a binary may be hostile.
"""

import enum
import os
import signal
import typing

from fpga_opencl.node import opencl, queries, sandbox
from fpga_opencl.node.objects import Refused
from fpga_opencl.node.opencl import NULL, Handle, ffi
from fpga_opencl.node.settings import Settings


class Result(enum.IntEnum):
    """What came of it: the exit status."""

    DONE = 0
    FAILED = 1
    NO_DEVICE = 3
    NO_BINARY = 4


def attempt(settings: Settings, folder: str, binary: bytes | None) -> Result:
    """Start a worker in the caller's control groups that looks for the device.

    :param folder: an empty one
    :param binary: what the device is to take; None for nothing
    """
    pid = os.fork()
    if pid == 0:
        _become_worker(settings, folder, binary)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return next((one for one in Result if one == status), Result.FAILED)


def _become_worker(settings: Settings, folder: str, binary: bytes | None) -> typing.NoReturn:
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        sandbox.run(settings, (), folder, lambda: os._exit(_try(settings, binary)))
    finally:
        os._exit(Result.FAILED)


def _try(settings: Settings, binary: bytes | None) -> Result:
    try:
        library = opencl.load()
        devices = queries.find_devices(library, settings.device)
    except (OSError, Refused):
        return Result.NO_DEVICE
    if not devices:
        return Result.NO_DEVICE
    if binary is None or _takes(library, devices[0], binary):
        return Result.DONE
    return Result.NO_BINARY


def _takes(library: typing.Any, device: Handle, binary: bytes) -> bool:
    """Whether a device takes a binary, and can build it."""
    error, status, devices = ffi.new("I *"), ffi.new("I *"), ffi.new("H[]", [device])
    context = library.clCreateContext(NULL, 1, devices, NULL, NULL, error)
    if error[0]:
        return False
    size, content = ffi.new("size_t *", len(binary)), ffi.new("unsigned char[]", binary)
    program = library.clCreateProgramWithBinary(
        context, 1, devices, size, ffi.new("unsigned char *[]", [content]), status, error
    )
    if error[0] or status[0]:
        return False
    return not library.clBuildProgram(program, 1, devices, NULL, NULL, NULL)
