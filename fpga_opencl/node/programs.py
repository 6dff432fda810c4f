# SPDX-License-Identifier: Apache-2.0
"""Programs, kernels and their arguments."""

import hashlib
import struct

from fpga_opencl.node.objects import Kernel, Refused, check
from fpga_opencl.node.opencl import NULL, Handle, ffi
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes, table

#: Without what it notes, a value that is passed for a buffer would be followed as a pointer.
_NOTE_ARGUMENTS = b" -cl-kernel-arg-info"
_KERNEL_NUM_ARGS = 0x1191
_ARG_ADDRESS, _ARG_TYPE = 0x1196, 0x1198
_GLOBAL, _LOCAL, _CONSTANT, _PRIVATE = 0x119B, 0x119C, 0x119D, 0x119E
_KINDS = table.ARGUMENTS
_VALUE, _LOCAL_SIZE, _MEMORY, _SAMPLER, _UNKNOWN = (
    _KINDS[name] for name in ("value", "local", "memory", "sampler", "unknown")
)
_MAX_ARGUMENTS = 4096
_POINTER = 8  # bytes


def with_source(
    session: Session, _: tuple[int, int], tail: memoryview, number: int, owner: int
) -> bytes:
    """Make a program of its source."""
    objects = session.objects
    objects.programs.free(number)
    if not session.settings.source:
        raise Refused(codes.COMPILER_NOT_AVAILABLE)
    text, size = ffi.new("char[]", bytes(tail)), ffi.new("size_t *", len(tail))
    handle = session.library.clCreateProgramWithSource(
        objects.contexts[owner], 1, ffi.new("char **", text), size, session.error
    )
    objects.programs[number] = session.checked(handle)
    return b""


def with_binary(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    owner: int,
    count: int,
    __: int,
) -> bytes:
    """Make a program of one binary for each device."""
    objects = session.objects
    objects.programs.free(number)
    names = struct.unpack_from(f"<{count}Q", tail)
    sizes = struct.unpack_from(f"<{count}Q", tail, 8 * count)
    start, binaries = 16 * count, []
    if not count or start + sum(sizes) != len(tail) or not all(sizes):
        raise Refused(codes.INVALID_VALUE)
    for size in sizes:
        binaries.append(bytes(tail[start : start + size]))
        start += size
    allowed = session.settings.binaries
    if allowed is not None and any(_digest(one) not in allowed for one in binaries):
        raise Refused(codes.INVALID_BINARY)
    content = [ffi.new("unsigned char[]", binary) for binary in binaries]
    statuses = ffi.new("I[]", count)
    handle = session.library.clCreateProgramWithBinary(
        objects.contexts[owner],
        count,
        ffi.new("H[]", [objects.devices[name] for name in names]),
        ffi.new("size_t[]", list(sizes)),
        ffi.new("unsigned char *[]", content),
        statuses,
        session.error,
    )
    objects.programs[number] = session.checked(handle)
    return bytes(ffi.buffer(statuses))


def _digest(binary: bytes) -> str:
    return hashlib.sha256(binary).hexdigest()


def build(
    session: Session, _: tuple[int, int], tail: memoryview, number: int, count: int, __: int
) -> bytes:
    """Compile and link a program."""
    program = session.objects.programs[number]
    devices = _devices(session, count, tail)
    options = ffi.new("char[]", bytes(tail[8 * count :]) + _NOTE_ARGUMENTS)
    check(session.library.clBuildProgram(program, count, devices, options, NULL, NULL))
    return b""


def _devices(session: Session, count: int, tail: memoryview) -> Handle:
    if not count:
        return NULL
    names = struct.unpack_from(f"<{count}Q", tail)
    return ffi.new("H[]", [session.objects.devices[name] for name in names])


def compile_(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    count: int,
    headers: int,
    size: int,
    __: int,
) -> bytes:
    """Compile a program."""
    programs = session.objects.programs
    program, devices = programs[number], _devices(session, count, tail)
    included = struct.unpack_from(f"<{headers}Q", tail, 8 * count)
    start = 8 * (count + headers)
    options = ffi.new("char[]", bytes(tail[start : start + size]) + _NOTE_ARGUMENTS)
    names = bytes(tail[start + size :]).split(b"\0")[:-1]
    if len(names) != headers or not all(names):
        raise Refused(codes.INVALID_VALUE)
    words = [ffi.new("char[]", name) for name in names]
    check(
        session.library.clCompileProgram(
            program,
            count,
            devices,
            options,
            headers,
            ffi.new("H[]", [programs[one] for one in included]) if headers else NULL,
            ffi.new("char *[]", words) if headers else NULL,
            NULL,
            NULL,
        )
    )
    return b""


def link(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    owner: int,
    count: int,
    inputs: int,
) -> bytes:
    """Make a program by linking others."""
    objects = session.objects
    objects.programs.free(number)
    devices = _devices(session, count, tail)
    parts = struct.unpack_from(f"<{inputs}Q", tail, 8 * count)
    if not inputs:
        raise Refused(codes.INVALID_VALUE)
    options = ffi.new("char[]", bytes(tail[8 * (count + inputs) :]))
    handle = session.library.clLinkProgram(
        objects.contexts[owner],
        count,
        devices,
        options,
        inputs,
        ffi.new("H[]", [objects.programs[part] for part in parts]),
        NULL,
        NULL,
        session.error,
    )
    if session.error[0] and handle != NULL:
        session.library.clReleaseProgram(handle)
    objects.programs[number] = session.checked(handle)
    return b""


def kernel(
    session: Session, _: tuple[int, int], tail: memoryview, number: int, program: int
) -> bytes:
    """Make a kernel; gives the kinds of its arguments."""
    objects, library = session.objects, session.library
    objects.kernels.free(number)
    name = ffi.new("char[]", bytes(tail))
    handle = session.checked(library.clCreateKernel(objects.programs[program], name, session.error))
    count = ffi.new("U *")
    check(library.clGetKernelInfo(handle, _KERNEL_NUM_ARGS, 4, count, NULL))
    kinds = bytes(_kind(library, handle, index) for index in range(min(count[0], _MAX_ARGUMENTS)))
    objects.kernels[number] = Kernel(handle, kinds)
    return kinds


def clone(session: Session, _: tuple[int, int], __: memoryview, number: int, source: int) -> bytes:
    """Make a kernel with the arguments of another one."""
    kernels, library = session.objects.kernels, session.library
    kernels.free(number)
    one = kernels[source]
    copy = Kernel(
        session.checked(library.clCloneKernel(one.handle, session.error)),
        one.kinds,
        failed=set(one.failed),
    )
    for index, held in one.held.items():
        _hold(library, copy, index, held)
    kernels[number] = copy
    return b""


def _kind(library: Handle, handle: Handle, index: int) -> int:
    space, name = ffi.new("U *"), ffi.new("char[]", 256)
    if library.clGetKernelArgInfo(handle, index, _ARG_ADDRESS, 4, space, NULL):
        return _UNKNOWN
    if space[0] != _PRIVATE:
        return _LOCAL_SIZE if space[0] == _LOCAL else _MEMORY
    if library.clGetKernelArgInfo(handle, index, _ARG_TYPE, 256, name, NULL):
        return _UNKNOWN
    kind = ffi.string(name)
    if kind.startswith(b"image"):
        return _MEMORY
    return _SAMPLER if kind == b"sampler_t" else _VALUE


def argument(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    index: int,
    kind: int,
    size: int,
) -> bytes:
    """Set an argument; one that fails keeps the kernel from running until it is set."""
    one = session.objects.kernels[number]
    if index >= len(one.kinds):
        raise Refused(codes.INVALID_ARG_INDEX)
    try:
        _set(session, one, index, kind, size, tail)
    except (Refused, struct.error):
        one.failed.add(index)
        raise
    one.failed.discard(index)
    return b""


def _set(session: Session, one: Kernel, index: int, kind: int, size: int, tail: memoryview) -> None:
    expected, library = one.kinds[index], session.library
    if expected not in (kind, _UNKNOWN) or kind not in _KINDS.values():
        raise Refused(codes.INVALID_ARG_VALUE)
    if kind in (_MEMORY, _SAMPLER):
        held = _object(session, kind, tail)
        value = ffi.new("H *", held[1]) if held else NULL
        check(library.clSetKernelArg(one.handle, index, 8, value))
        _hold(library, one, index, held)
    elif kind == _LOCAL_SIZE:
        check(library.clSetKernelArg(one.handle, index, size, NULL))
    else:
        if expected == _UNKNOWN and size == _POINTER:
            raise Refused(codes.INVALID_ARG_VALUE)
        if size != len(tail) or not size:
            raise Refused(codes.INVALID_ARG_SIZE)
        check(library.clSetKernelArg(one.handle, index, size, ffi.from_buffer(tail)))


def _object(session: Session, kind: int, tail: memoryview) -> tuple[str, Handle] | None:
    if not len(tail):
        return None
    (number,) = struct.unpack("<Q", tail)
    if kind == _SAMPLER:
        return "sampler", session.objects.samplers[number]
    return "memory", session.objects.memories[number].handle


def _hold(library: Handle, one: Kernel, index: int, held: tuple[str, Handle] | None) -> None:
    """OpenCL does not keep what an argument names; the kernel may run after its release."""
    before = one.held.pop(index, None)
    if held is not None:
        retain = library.clRetainSampler if held[0] == "sampler" else library.clRetainMemObject
        retain(held[1])
        one.held[index] = held
    if before is not None:
        release = library.clReleaseSampler if before[0] == "sampler" else library.clReleaseMemObject
        release(before[1])
