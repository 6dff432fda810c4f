# SPDX-License-Identifier: Apache-2.0
"""Parts of devices, contexts, queues, memory objects, samplers; and forgetting objects."""

import struct

from fpga_opencl.node.objects import Memory, Refused, check
from fpga_opencl.node.opencl import NULL, ffi
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes, table

_BUFFER_CREATE_TYPE_REGION = 0x1220
_IMAGE_ELEMENT_SIZE = 0x1111
_HOST_POINTERS = codes.MEM_USE_HOST_PTR | codes.MEM_ALLOC_HOST_PTR | codes.MEM_COPY_HOST_PTR
_DEVICES = 4096  # of a session at once
_UNITS = 1 << 31  # more than a device has; beyond that implementations would count from 0 again
_RELEASES = {
    "device": "clReleaseDevice",
    "context": "clReleaseContext",
    "queue": "clReleaseCommandQueue",
    "memory": "clReleaseMemObject",
    "sampler": "clReleaseSampler",
    "program": "clReleaseProgram",
    "kernel": "clReleaseKernel",
    "event": "clReleaseEvent",
}
_RELEASE = {number: _RELEASES[name] for name, number in table.KINDS.items()}


def sub_devices(
    session: Session, _: tuple[int, int], tail: memoryview, parent: int, count: int, __: int
) -> bytes:
    """Divide a device, or say how many parts there would be."""
    devices = session.objects.devices
    words = struct.unpack(f"<{len(tail) // 8}Q", tail)
    names, properties = words[:count], words[count:]
    if not properties or properties[-1] or sum(properties) >= _UNITS or len(set(names)) < count:
        raise Refused(codes.INVALID_VALUE)
    for name in names:
        devices.free(name)
    if len(devices) + count > _DEVICES:
        raise Refused(codes.OUT_OF_RESOURCES)
    # Some implementations read one more.
    listed = ffi.new("intptr_t[]", [*properties, 0])
    found, handles = ffi.new("U *"), ffi.new("H[]", count) if count else NULL
    check(session.library.clCreateSubDevices(devices[parent], listed, count, handles, found))
    parts = dict(zip(names, handles, strict=True)) if count else {}
    parts = {name: handle for name, handle in parts.items() if handle}
    devices.update(parts)
    session.objects.parts.update(parts)
    return struct.pack("<I", found[0])


def context(
    session: Session, _: tuple[int, int], tail: memoryview, number: int, count: int, *__: int
) -> bytes:
    """Make a context."""
    session.objects.contexts.free(number)
    names = struct.unpack(f"<{count}Q", tail)
    devices = ffi.new("H[]", [session.objects.devices[name] for name in names])
    handle = session.library.clCreateContext(NULL, count, devices, NULL, NULL, session.error)
    session.objects.contexts[number] = session.checked(handle)
    return b""


def queue(
    session: Session,
    _: tuple[int, int],
    __: memoryview,
    number: int,
    owner: int,
    device: int,
    properties: int,
) -> bytes:
    """Make a command queue."""
    objects = session.objects
    objects.queues.free(number)
    handle = session.library.clCreateCommandQueue(
        objects.contexts[owner], objects.devices[device], properties, session.error
    )
    objects.queues[number] = session.checked(handle)
    return b""


def buffer(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    owner: int,
    flags: int,
    size: int,
) -> bytes:
    """Make a buffer; memory of the client's is always copied."""
    objects = session.objects
    objects.memories.free(number)
    flags, content = _with_content(flags, tail)
    if len(tail) not in (0, size):
        raise Refused(codes.INVALID_VALUE)
    room, context_of = session.room, objects.contexts[owner]
    if room is not None:
        room.take(size)
    handle = session.library.clCreateBuffer(context_of, flags, size, content, session.error)
    if room is not None and session.error[0]:
        room.give(size)
    taken = size if room is not None else 0
    objects.memories[number] = Memory(session.checked(handle), size, taken=taken)
    return b""


def _with_content(flags: int, content: memoryview) -> tuple[int, object]:
    flags &= ~_HOST_POINTERS
    if not len(content):
        return flags, NULL
    return flags | codes.MEM_COPY_HOST_PTR, ffi.from_buffer(content)


def sub_buffer(
    session: Session,
    _: tuple[int, int],
    __: memoryview,
    number: int,
    parent: int,
    flags: int,
    origin: int,
    size: int,
) -> bytes:
    """Make a buffer that is a part of another one."""
    memories = session.objects.memories
    memories.free(number)
    whole = memories[parent]
    if whole.pixel or origin + size > whole.size:
        raise Refused(codes.INVALID_VALUE)
    region = ffi.new("size_t[2]", [origin, size])
    handle = session.library.clCreateSubBuffer(
        whole.handle, flags & ~_HOST_POINTERS, _BUFFER_CREATE_TYPE_REGION, region, session.error
    )
    memories[number] = Memory(session.checked(handle), size)
    return b""


def image(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    number: int,
    owner: int,
    flags: int,
    order: int,
    data_type: int,
    kind: int,
    __: int,
    *numbers: int,
) -> bytes:
    """Make an image."""
    objects, library = session.objects, session.library
    objects.memories.free(number)
    *sizes, behind = numbers
    source = objects.memories[behind].handle if behind else NULL
    flags, content = _with_content(flags, tail)
    pixels = 1
    for size in sizes:
        pixels *= max(1, size)
    shape = ffi.new("struct description *", [kind, *sizes, 0, 0, 0, 0, source])
    form = ffi.new("struct format *", [order, data_type])
    handle = session.checked(
        library.clCreateImage(objects.contexts[owner], flags, form, shape, NULL, session.error)
        if not len(tail)
        else _image_with_content(session, owner, flags, form, shape, content, len(tail) // pixels)
    )
    pixel = ffi.new("size_t *")
    library.clGetImageInfo(handle, _IMAGE_ELEMENT_SIZE, 8, pixel, NULL)
    if len(tail) and len(tail) != pixel[0] * pixels:
        library.clReleaseMemObject(handle)
        raise Refused(codes.INVALID_VALUE)
    objects.memories[number] = Memory(handle, 0, pixel[0])
    return b""


def _image_with_content(
    session: Session,
    owner: int,
    flags: int,
    form: object,
    shape: object,
    content: object,
    pixel: int,
) -> object:
    """An image of the client's pixels; OpenCL reads them, so their size is checked before."""
    library, context_of = session.library, session.objects.contexts[owner]
    empty = flags & ~codes.MEM_COPY_HOST_PTR
    probe = session.checked(
        library.clCreateImage(context_of, empty, form, shape, NULL, session.error)
    )
    size = ffi.new("size_t *")
    library.clGetImageInfo(probe, _IMAGE_ELEMENT_SIZE, 8, size, NULL)
    library.clReleaseMemObject(probe)
    if size[0] != pixel:
        raise Refused(codes.INVALID_VALUE)
    return library.clCreateImage(context_of, flags, form, shape, content, session.error)


def sampler(
    session: Session,
    _: tuple[int, int],
    __: memoryview,
    number: int,
    owner: int,
    normalized: int,
    addressing: int,
    filtering: int,
    ___: int,
) -> bytes:
    """Make a sampler."""
    objects = session.objects
    objects.samplers.free(number)
    handle = session.library.clCreateSampler(
        objects.contexts[owner], normalized, addressing, filtering, session.error
    )
    objects.samplers[number] = session.checked(handle)
    return b""


def release(
    session: Session, _: tuple[int, int], __: memoryview, kind: int, ___: int, number: int
) -> bytes:
    """Forget an object."""
    objects = session.objects
    if kind == table.KINDS["event"] and objects.failed.pop(number, None) is not None:
        return b""
    found = objects.of_kind(kind)[number]
    if kind == table.KINDS["device"]:
        if number not in objects.parts:
            raise Refused(codes.INVALID_DEVICE)
        objects.parts.remove(number)
    del objects.of_kind(kind)[number]
    if kind == table.KINDS["event"]:
        objects.unset.discard(number)
        if profiled := objects.profiled.pop(number, None):
            session.library.clReleaseEvent(profiled)
    if kind == table.KINDS["memory"] and session.room is not None:
        session.room.give(found.taken)
    if kind == table.KINDS["kernel"]:
        for name, handle in found.held.values():
            getattr(session.library, _RELEASES[name])(handle)
    handle = found.handle if hasattr(found, "handle") else found
    check(getattr(session.library, _RELEASE[kind])(handle))
    return b""
