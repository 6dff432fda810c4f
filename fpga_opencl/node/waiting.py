# SPDX-License-Identifier: Apache-2.0
"""Events, and waiting for commands."""

import struct
import typing

from fpga_opencl.node.objects import check
from fpga_opencl.node.opencl import NULL
from fpga_opencl.node.session import Session


def user_event(
    session: Session, _: tuple[int, int], __: memoryview, number: int, owner: int
) -> bytes:
    """Make an event whose status the client sets."""
    objects = session.objects
    objects.events.free(number)
    handle = session.library.clCreateUserEvent(objects.contexts[owner], session.error)
    objects.events[number] = session.checked(handle)
    objects.unset.add(number)
    return b""


def set_user_event(
    session: Session, _: tuple[int, int], __: memoryview, number: int, status: int, *___: int
) -> bytes:
    """Set the status of such an event."""
    check(session.library.clSetUserEventStatus(session.objects.events[number], status))
    if status <= 0:
        session.objects.unset.discard(number)
    return b""


def flush(session: Session, _: tuple[int, int], __: memoryview, queue: int) -> bytes:
    """Have the commands of a queue start."""
    check(session.library.clFlush(session.objects.queues[queue]))
    return b""


def finish(session: Session, request: tuple[int, int], _: memoryview, queue: int) -> bytes | None:
    """Wait for all commands of a queue; an error of one that nobody waited for comes here."""
    handle = session.objects.queues[queue]

    def work() -> bytes:
        check(session.library.clFinish(handle))
        check(session.late(queue))
        return b""

    return _wait(session, request, work)


def wait(session: Session, request: tuple[int, int], tail: memoryview) -> bytes | None:
    """Wait for events."""
    handles = session.events(struct.unpack(f"<{len(tail) // 8}Q", tail))
    # A thread may still wait when the client has released them.
    for handle in handles:
        session.library.clRetainEvent(handle)

    def work() -> bytes:
        try:
            session.wait(handles)
        finally:
            for handle in handles:
                session.library.clReleaseEvent(handle)
        return b""

    return _wait(session, request, work)


def _wait(
    session: Session, request: tuple[int, int], work: typing.Callable[[], bytes]
) -> bytes | None:
    if session.must_not_block(request[0]):
        session.in_background(request[1], work)
        return None
    try:
        return work()
    finally:
        session.reap()
        session.show_output()


def marker(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
) -> bytes:
    """An event for the commands before it."""
    return _ordered(session, session.library.clEnqueueMarkerWithWaitList, tail, queue, event, count)


def barrier(
    session: Session,
    _: tuple[int, int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
    __: int,
) -> bytes:
    """Commands after it wait for those before it."""
    call = session.library.clEnqueueBarrierWithWaitList
    return _ordered(session, call, tail, queue, event, count)


def _ordered(
    session: Session,
    call: typing.Callable[..., int],
    tail: memoryview,
    queue: int,
    event: int,
    count: int,
) -> bytes:
    handle = session.objects.queues[queue]
    session.free_event(event)
    waits, _rest = session.waits(count, tail)
    status = call(handle, count, waits, session.event if event else NULL)
    return session.enqueued(status, event)
