# SPDX-License-Identifier: Apache-2.0
"""Commands on rectangles of buffers and on images, whose content travels without padding."""

import math

from fpga_opencl.node import transfers
from fpga_opencl.node.objects import Memory, Refused, check
from fpga_opencl.node.opencl import Handle, ffi
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes

_ORIGIN = ffi.new("size_t[3]")


def _three(values: tuple[int, ...]) -> Handle:
    return ffi.new("size_t[3]", list(values))


def _box(
    memory: Memory, origin: tuple[int, ...], region: tuple[int, ...], pitches: tuple[int, int]
) -> None:
    """See that a rectangle lies within its buffer.

    :raises Refused: it does not
    """
    if memory.pixel:
        raise Refused(codes.INVALID_MEM_OBJECT)
    row, plane = pitches
    row = row or region[0]
    plane = plane or region[1] * row
    if not all(region) or row < region[0] or plane < region[1] * row:
        raise Refused(codes.INVALID_VALUE)
    end = [start + count - 1 for start, count in zip(origin, region, strict=True)]
    if end[2] * plane + end[1] * row + end[0] >= memory.size:
        raise Refused(codes.INVALID_VALUE)


def _image(memory: Memory) -> Memory:
    if not memory.pixel:
        raise Refused(codes.INVALID_MEM_OBJECT)
    return memory


def _command(
    session: Session, tail: memoryview, queue: int, event: int, count: int
) -> tuple[Handle, Handle, memoryview]:
    """The queue's handle, the wait list, and the tail after it."""
    handle = session.objects.queues[queue]
    session.free_event(event)
    return (handle, *session.waits(count, tail))


def read_rectangle(
    session: Session,
    request: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    _: int,
    number: int,
    *sizes: int,
) -> bytes | None:
    """Read a rectangle of a buffer."""
    memory = session.objects.memories[number]
    origin, region, (row, plane) = sizes[0:3], sizes[3:6], sizes[6:8]
    _box(memory, origin, region, (row, plane))
    handle, waits, _rest = _command(session, tail, queue, event, count)
    start, extent = _three(origin), _three(region)

    def enqueue(blocking: int, target: Handle, out: Handle) -> int:
        return int(
            session.library.clEnqueueReadBufferRect(
                *(handle, memory.handle, blocking, start, _ORIGIN, extent, row, plane, 0, 0),
                *(target, count, waits, out),
            )
        )

    size = math.prod(region)
    return transfers.through_staging(session, request, (handle, event), size, enqueue)


def write_rectangle(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    blocking: int,
    number: int,
    *sizes: int,
) -> bytes:
    """Write a rectangle of a buffer."""
    memory = session.objects.memories[number]
    origin, region, (row, plane) = sizes[0:3], sizes[3:6], sizes[6:8]
    _box(memory, origin, region, (row, plane))
    handle, waits, rest = _command(session, tail, queue, event, count)
    if len(rest) != math.prod(region):
        raise Refused(codes.INVALID_VALUE)
    content = ffi.new("char[]", bytes(rest))
    check(
        session.library.clEnqueueWriteBufferRect(
            *(handle, memory.handle, 0, _three(origin), _ORIGIN, _three(region), row, plane, 0, 0),
            *(content, count, waits, session.event),
        )
    )
    return transfers.staged(session, content, event, blocking)


def copy_rectangle(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    source: int,
    target: int,
    *sizes: int,
) -> bytes:
    """Copy a rectangle of a buffer."""
    one, other = session.objects.memories[source], session.objects.memories[target]
    origin, end, region, pitches = sizes[0:3], sizes[3:6], sizes[6:9], sizes[9:13]
    _box(one, origin, region, (pitches[0], pitches[1]))
    _box(other, end, region, (pitches[2], pitches[3]))
    handle, waits, _rest = _command(session, tail, queue, event, count)
    return session.enqueued(
        session.library.clEnqueueCopyBufferRect(
            *(handle, one.handle, other.handle, _three(origin), _three(end), _three(region)),
            *(*pitches, count, waits, session.event_or_none(event)),
        ),
        event,
    )


def read_image(
    session: Session,
    request: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    _: int,
    number: int,
    *sizes: int,
) -> bytes | None:
    """Read from an image."""
    memory = _image(session.objects.memories[number])
    handle, waits, _rest = _command(session, tail, queue, event, count)
    start, extent = _three(sizes[0:3]), _three(sizes[3:6])

    def enqueue(blocking: int, target: Handle, out: Handle) -> int:
        return int(
            session.library.clEnqueueReadImage(
                *(handle, memory.handle, blocking, start, extent, 0, 0, target, count, waits, out)
            )
        )

    size = math.prod(sizes[3:6]) * memory.pixel
    return transfers.through_staging(session, request, (handle, event), size, enqueue)


def write_image(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    blocking: int,
    number: int,
    *sizes: int,
) -> bytes:
    """Write to an image."""
    memory = _image(session.objects.memories[number])
    handle, waits, rest = _command(session, tail, queue, event, count)
    if len(rest) != math.prod(sizes[3:6]) * memory.pixel:
        raise Refused(codes.INVALID_VALUE)
    content = ffi.new("char[]", bytes(rest))
    check(
        session.library.clEnqueueWriteImage(
            *(handle, memory.handle, 0, _three(sizes[0:3]), _three(sizes[3:6]), 0, 0, content),
            *(count, waits, session.event),
        )
    )
    return transfers.staged(session, content, event, blocking)


def copy_image(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    source: int,
    target: int,
    *sizes: int,
) -> bytes:
    """Copy from one image to another."""
    one = _image(session.objects.memories[source])
    other = _image(session.objects.memories[target])
    handle, waits, _rest = _command(session, tail, queue, event, count)
    boxes = (_three(sizes[0:3]), _three(sizes[3:6]), _three(sizes[6:9]))
    return session.enqueued(
        session.library.clEnqueueCopyImage(
            *(handle, one.handle, other.handle, *boxes),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )


def image_to_buffer(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    source: int,
    target: int,
    *sizes: int,
) -> bytes:
    """Copy from an image to a buffer."""
    one, other = _image(session.objects.memories[source]), session.objects.memories[target]
    offset = sizes[6]
    _fits(one, other, sizes[3:6], offset)
    handle, waits, _rest = _command(session, tail, queue, event, count)
    return session.enqueued(
        session.library.clEnqueueCopyImageToBuffer(
            *(handle, one.handle, other.handle, _three(sizes[0:3]), _three(sizes[3:6]), offset),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )


def _fits(picture: Memory, memory: Memory, region: tuple[int, ...], offset: int) -> None:
    if memory.pixel:
        raise Refused(codes.INVALID_MEM_OBJECT)
    if offset + math.prod(region) * picture.pixel > memory.size:
        raise Refused(codes.INVALID_VALUE)


def buffer_to_image(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    source: int,
    target: int,
    offset: int,
    *sizes: int,
) -> bytes:
    """Copy from a buffer to an image."""
    one, other = session.objects.memories[source], _image(session.objects.memories[target])
    _fits(other, one, sizes[3:6], offset)
    handle, waits, _rest = _command(session, tail, queue, event, count)
    return session.enqueued(
        session.library.clEnqueueCopyBufferToImage(
            *(handle, one.handle, other.handle, offset, _three(sizes[0:3]), _three(sizes[3:6])),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )


def fill_image(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    number: int,
    *sizes: int,
) -> bytes:
    """Fill an image with a colour."""
    memory = _image(session.objects.memories[number])
    handle, waits, rest = _command(session, tail, queue, event, count)
    if len(rest) != 16:
        raise Refused(codes.INVALID_VALUE)
    return session.enqueued(
        session.library.clEnqueueFillImage(
            *(handle, memory.handle, ffi.from_buffer(rest)),
            *(_three(sizes[0:3]), _three(sizes[3:6]), count, waits),
            session.event_or_none(event),
        ),
        event,
    )
