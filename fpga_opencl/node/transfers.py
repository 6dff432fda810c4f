# SPDX-License-Identifier: Apache-2.0
"""Commands that move the content of buffers to and from the client.

Much of it goes straight between socket and mapped buffer. Little of it, and what must not wait here
for a later message, goes through staging memory.
"""

import typing

from fpga_opencl.node.objects import Memory, Refused, check
from fpga_opencl.node.opencl import NULL, Handle, allocate, ffi
from fpga_opencl.node.session import Session
from fpga_opencl.protocol import codes, table

_MAPPED = 1 << 16  # bytes from which on mapping is faster than copying


def _within(memory: Memory, offset: int, size: int) -> None:
    if memory.pixel:
        raise Refused(codes.INVALID_MEM_OBJECT)
    if not size or offset + size > memory.size:
        raise Refused(codes.INVALID_VALUE)


def read(
    session: Session,
    request: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    _: int,
    number: int,
    offset: int,
    size: int,
) -> bytes | None:
    """Read from a buffer."""
    objects, library = session.objects, session.library
    handle, memory = objects.queues[queue], objects.memories[number]
    _within(memory, offset, size)
    session.free_event(event)
    waits, _rest = session.waits(count, tail)
    if session.must_not_block(request[0]) or size < _MAPPED:

        def enqueue(blocking: int, target: Handle, out: Handle) -> int:
            return int(
                library.clEnqueueReadBuffer(
                    handle, memory.handle, blocking, offset, size, target, count, waits, out
                )
            )

        return through_staging(session, request, (handle, event), size, enqueue)
    place = library.clEnqueueMapBuffer(
        *(handle, memory.handle, 1, codes.MAP_READ, offset, size, count, waits),
        *(session.event_or_none(event), session.error),
    )
    check(session.error[0])
    if event:
        objects.events[event] = session.event[0]
    session.show_output()
    session.reply(request[1], codes.SUCCESS, memoryview(ffi.buffer(place, size)))
    check_late(library.clEnqueueUnmapMemObject(handle, memory.handle, place, 0, NULL, NULL))
    return None


def check_late(code: int) -> None:
    """End the session where OpenCL fails after the reply."""
    if code != codes.SUCCESS:
        raise EOFError


def through_staging(
    session: Session,
    request: tuple[int, int],
    command: tuple[Handle, int],
    size: int,
    enqueue: typing.Callable[[int, Handle, Handle], int],
) -> bytes | None:
    """Read into memory of the worker's, and reply with it.

    :param command: its queue's handle and its event's number
    :param enqueue: given whether to wait, where to read to, and where the event goes
    """
    target = _room(size)
    flags, sequence = request
    if not session.must_not_block(flags):
        check(enqueue(1, target, session.event_or_none(command[1])))
        if command[1]:
            session.objects.events[command[1]] = session.event[0]
        session.show_output()
        session.reply(sequence, codes.SUCCESS, memoryview(ffi.buffer(target, size)))
        return None
    queue, number = command
    check(enqueue(0, target, session.event))
    read_event = session.event[0]
    sent = _sent_event(session, queue, read_event)
    if number:
        session.objects.events[number] = sent
        session.library.clRetainEvent(sent)
        session.library.clRetainEvent(read_event)
        session.objects.profiled[number] = read_event
    session.library.clFlush(queue)

    def work() -> memoryview:
        session.wait([read_event])
        return memoryview(ffi.buffer(target, size))

    def done(status: int) -> None:
        session.library.clSetUserEventStatus(sent, status)
        session.library.clReleaseEvent(sent)
        session.library.clReleaseEvent(read_event)

    session.in_background(sequence, work, done)
    return None


def _sent_event(session: Session, queue: Handle, event: Handle) -> Handle:
    """An event that is complete once the client has what was read; later commands wait for it."""
    owner = ffi.new("H *")
    check(session.library.clGetEventInfo(event, _EVENT_CONTEXT, 8, owner, NULL))
    sent = session.checked(session.library.clCreateUserEvent(owner[0], session.error))
    check(session.library.clEnqueueMarkerWithWaitList(queue, 1, ffi.new("H *", sent), NULL))
    return sent


_EVENT_CONTEXT = 0x11D4


def _room(size: int) -> Handle:
    if size > table.LIMITS["data"]:
        raise Refused(codes.OUT_OF_HOST_MEMORY)
    try:
        return allocate("char[]", size)
    except MemoryError:
        raise Refused(codes.OUT_OF_HOST_MEMORY) from None


def write(
    session: Session,
    request: tuple[int, int],
    rest: int,
    queue: int,
    event: int,
    count: int,
    blocking: int,
    number: int,
    offset: int,
    size: int,
) -> bytes:
    """Write to a buffer; the content is still in the stream."""
    objects, stream = session.objects, session.stream
    try:
        if size + 8 * count != rest:
            raise Refused(codes.INVALID_VALUE)
        handle, memory = objects.queues[queue], objects.memories[number]
        _within(memory, offset, size)
        session.free_event(event)
        listed = bytes(stream.take(8 * count))
        rest -= len(listed)
        waits, _rest = session.waits(count, memoryview(listed))
        if size < _MAPPED or session.must_not_block(request[0]):
            content = _room(size)
            rest = 0
            stream.fill(memoryview(ffi.buffer(content)))
            target = (handle, memory.handle, offset, size)
            return _written(session, target, content, (count, waits, event, blocking))
        place = session.library.clEnqueueMapBuffer(
            *(handle, memory.handle, 1, codes.MAP_WRITE_INVALIDATE_REGION, offset, size),
            *(count, waits, NULL, session.error),
        )
        check(session.error[0])
        rest = 0
        stream.fill(memoryview(ffi.buffer(place, size)))
    finally:
        stream.drop(rest)
    status = session.library.clEnqueueUnmapMemObject(
        handle, memory.handle, place, 0, NULL, session.event
    )
    check(status)
    if blocking:
        session.wait([session.event[0]])
    if event:
        objects.events[event] = session.event[0]
    else:
        session.library.clReleaseEvent(session.event[0])
    return b""


def _written(
    session: Session,
    target: tuple[Handle, Handle, int, int],
    content: Handle,
    command: tuple[int, Handle, int, int],
) -> bytes:
    queue, memory, offset, size = target
    count, waits, event, blocking = command
    check(
        session.library.clEnqueueWriteBuffer(
            queue, memory, 0, offset, size, content, count, waits, session.event
        )
    )
    return staged(session, content, event, blocking)


def staged(session: Session, content: Handle, event: int, blocking: int) -> bytes:
    """Keep memory that the command reads which was enqueued last, and note its event."""
    handle = session.event[0]
    if event:
        session.library.clRetainEvent(handle)
        session.objects.events[event] = handle
    session.stage(handle, content)
    if blocking and not session.objects.unset:
        session.wait([handle])
    return b""


def copy(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    source: int,
    target: int,
    *numbers: int,
) -> bytes:
    """Copy from one buffer to another."""
    objects = session.objects
    handle, one, other = objects.queues[queue], objects.memories[source], objects.memories[target]
    start, end, size = numbers
    _within(one, start, size)
    _within(other, end, size)
    session.free_event(event)
    waits, _rest = session.waits(count, tail)
    return session.enqueued(
        session.library.clEnqueueCopyBuffer(
            *(handle, one.handle, other.handle, start, end, size),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )


def fill(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    number: int,
    offset: int,
    size: int,
) -> bytes:
    """Fill a buffer with a pattern."""
    objects = session.objects
    handle, memory = objects.queues[queue], objects.memories[number]
    _within(memory, offset, size)
    session.free_event(event)
    waits, pattern = session.waits(count, tail)
    if not len(pattern):
        raise Refused(codes.INVALID_VALUE)
    return session.enqueued(
        session.library.clEnqueueFillBuffer(
            *(handle, memory.handle, ffi.from_buffer(pattern), len(pattern), offset, size),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )


def migrate(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
    flags: int,
) -> bytes:
    """Move memory objects to the device of a queue."""
    objects = session.objects
    handle = objects.queues[queue]
    session.free_event(event)
    waits, rest = session.waits(count, tail)
    numbers = [int.from_bytes(rest[at : at + 8], "little") for at in range(0, len(rest), 8)]
    memories = ffi.new("H[]", [objects.memories[number].handle for number in numbers])
    return session.enqueued(
        session.library.clEnqueueMigrateMemObjects(
            *(handle, len(numbers), memories, flags),
            *(count, waits, session.event_or_none(event)),
        ),
        event,
    )
