# SPDX-License-Identifier: Apache-2.0
"""What OpenCL says of objects; pointers of the worker's never leave it."""

import struct
import typing

from fpga_opencl.node.objects import Objects, Refused, check
from fpga_opencl.node.opencl import NULL, Handle, ffi
from fpga_opencl.node.room import Room
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes, table

_ALL_DEVICES = 0xFFFFFFFF
_DEVICE_TYPE = 0x1000
_PROCESSOR = 2  # CL_DEVICE_TYPE_CPU
_PROGRAM_BINARY_SIZES, _PROGRAM_BINARIES = 0x1165, 0x1166
_MAX_VALUE = 64 << 20
#: Parameters whose value has handles: clients answer them, as they have other ones.
_HANDLES = {
    "device": {0x1031, 0x1042, 0x1106},  # platform, parent device
    "program": {0x1161, 0x1163},  # context, devices
    "kernel": {0x1193, 0x1194},  # context, program
    "event": {0x11D0, 0x11D4},  # queue, context
    "image": {0x1118},  # buffer
}
_QUERIES = {number: name for name, number in table.QUERIES.items()}


def hello(session: Session, _: tuple[int, int], __: memoryview, magic: int, version: int) -> bytes:
    """Find the devices; gives the number and the type of each."""
    if (magic, version) != (table.MAGIC, table.VERSION):
        raise EOFError
    library, devices = session.library, session.objects.devices
    kind = ffi.new("L *")
    if not devices:
        devices.update(enumerate(find_devices(library, session.settings.device), 1))
    reply, processors = b"", bool(devices)
    for number, handle in devices.items():
        check(library.clGetDeviceInfo(handle, _DEVICE_TYPE, 8, kind, NULL))
        reply += struct.pack("<QQ", number, kind[0])
        processors = processors and bool(kind[0] & _PROCESSOR)
    if processors and session.room is None:
        session.room = Room(session.settings.memory)
    return reply


def find_devices(library: Handle, only: int | None) -> list[Handle]:
    """The devices of all platforms.

    :param only: the one to find, counted from 0; None for all
    :raises Refused: there is no platform, or one fails
    """
    count = ffi.new("U *")
    found: list[Handle] = []
    for platform in _platforms(library):
        if library.clGetDeviceIDs(platform, _ALL_DEVICES, 0, NULL, count):
            continue
        handles = ffi.new("H[]", count[0])
        check(library.clGetDeviceIDs(platform, _ALL_DEVICES, count[0], handles, NULL))
        found.extend(handles)
    return found if only is None else found[only : only + 1]


def _platforms(library: Handle) -> list[Handle]:
    count = ffi.new("U *")
    if library.clGetPlatformIDs(0, NULL, count):
        raise Refused(codes.DEVICE_NOT_AVAILABLE)
    platforms = ffi.new("H[]", count[0])
    check(library.clGetPlatformIDs(count[0], platforms, NULL))
    return list(platforms)


def query(
    session: Session,
    _: tuple[int, int],
    __: memoryview,
    kind: int,
    parameter: int,
    number: int,
    second: int,
) -> bytes:
    """The value of a parameter of an object."""
    name = _QUERIES.get(kind)
    if name is None or parameter in _HANDLES.get(name, ()):
        raise Refused(codes.INVALID_VALUE)
    if name == "event" and parameter == codes.EVENT_COMMAND_EXECUTION_STATUS:
        session.show_output()
        if number in session.objects.failed:
            return struct.pack("<i", session.objects.failed[number])
    if name == "program" and parameter == _PROGRAM_BINARIES:
        return _binaries(session, number)
    ask = _asking(session, name, parameter, number, second)
    size = ffi.new("size_t *")
    check(ask(0, NULL, size))
    if size[0] > _MAX_VALUE:
        raise Refused(codes.OUT_OF_HOST_MEMORY)
    value = ffi.new("char[]", max(1, size[0]))
    if size[0]:
        check(ask(size[0], value, NULL))
    if session.room is not None and name == "device" and session.room.concerns(parameter):
        (reported,) = struct.unpack("<Q", ffi.buffer(value, size[0]))
        return struct.pack("<Q", session.room.seen(parameter, reported))
    return bytes(ffi.buffer(value, size[0]))


def _asking(
    session: Session, name: str, parameter: int, number: int, second: int
) -> typing.Callable[[int, Handle, Handle], int]:
    find, call = _SUBJECTS[name]
    words = find(session.objects, number, second)
    function = getattr(session.library, call)
    return lambda size, value, needed: int(function(*words, parameter, size, value, needed))


def _build(objects: Objects, number: int, second: int) -> tuple[Handle, ...]:
    return objects.programs[number], objects.devices[second]


def _work_group(objects: Objects, number: int, second: int) -> tuple[Handle, ...]:
    return objects.kernels[number].handle, objects.devices[second] if second else NULL


def _argument(objects: Objects, number: int, second: int) -> tuple[Handle, ...]:
    one = objects.kernels[number]
    if second >= len(one.kinds):
        raise Refused(codes.INVALID_ARG_INDEX)
    return one.handle, second


def _image(objects: Objects, number: int, _: int) -> tuple[Handle, ...]:
    if not objects.memories[number].pixel:
        raise Refused(codes.INVALID_MEM_OBJECT)
    return (objects.memories[number].handle,)


#: How the first arguments of a function are found, and its name.
_SUBJECTS: dict[str, tuple[typing.Callable[[Objects, int, int], tuple[Handle, ...]], str]] = {
    "device": (lambda objects, number, _: (objects.devices[number],), "clGetDeviceInfo"),
    "program": (lambda objects, number, _: (objects.programs[number],), "clGetProgramInfo"),
    "build": (_build, "clGetProgramBuildInfo"),
    "kernel": (lambda objects, number, _: (objects.kernels[number].handle,), "clGetKernelInfo"),
    "work_group": (_work_group, "clGetKernelWorkGroupInfo"),
    "argument": (_argument, "clGetKernelArgInfo"),
    "event": (lambda objects, number, _: (objects.events[number],), "clGetEventInfo"),
    "profile": (
        lambda objects, number, _: (objects.profiled.get(number) or objects.events[number],),
        "clGetEventProfilingInfo",
    ),
    "image": (_image, "clGetImageInfo"),
}


def _binaries(session: Session, number: int) -> bytes:
    """The binaries of a program, one after the other."""
    library, program = session.library, session.objects.programs[number]
    size = ffi.new("size_t *")
    check(library.clGetProgramInfo(program, _PROGRAM_BINARY_SIZES, 0, NULL, size))
    sizes = ffi.new("size_t[]", size[0] // 8)
    check(library.clGetProgramInfo(program, _PROGRAM_BINARY_SIZES, size[0], sizes, NULL))
    if sum(sizes) > _MAX_VALUE:
        raise Refused(codes.OUT_OF_HOST_MEMORY)
    content = [ffi.new("unsigned char[]", max(1, one)) for one in sizes]
    places = ffi.new("unsigned char *[]", content)
    check(library.clGetProgramInfo(program, _PROGRAM_BINARIES, size[0], places, NULL))
    parts = zip(content, sizes, strict=True)
    return b"".join(bytes(ffi.buffer(one, count)) for one, count in parts)


def formats(
    session: Session,
    _: tuple[int, int],
    __: memoryview,
    owner: int,
    flags: int,
    kind: int,
    *___: int,
) -> bytes:
    """The formats of images that a context supports."""
    library, handle = session.library, session.objects.contexts[owner]
    count = ffi.new("U *")
    check(library.clGetSupportedImageFormats(handle, flags, kind, 0, NULL, count))
    rows = ffi.new("struct format[]", max(1, count[0]))
    if count[0]:
        check(library.clGetSupportedImageFormats(handle, flags, kind, count[0], rows, NULL))
    return bytes(ffi.buffer(rows, 8 * count[0]))
