# SPDX-License-Identifier: Apache-2.0
"""One client's session in its worker: receives its messages in order and replies."""

import fcntl
import os
import struct
import threading
import typing
from concurrent.futures import thread  # by its name: the package loads it late, where no file is

from fpga_opencl.node import opencl
from fpga_opencl.node.objects import Objects, Refused, check
from fpga_opencl.node.opencl import NULL, Handle, ffi
from fpga_opencl.node.room import Room
from fpga_opencl.node.settings import Settings
from fpga_opencl.protocol import codes, table
from fpga_opencl.protocol.streams import Connection, Stream

_THREADS = 64  # waits at once that may last until a later message
#: A large message's tail is left in the stream, for its handler to receive where it belongs.
STREAMED = "enqueue_write"

Handler = typing.Callable[..., bytes | None]


class Session:
    """What handlers share.

    :param library: OpenCL's functions
    :param event: where commands give their event
    """

    def __init__(self, connection: Connection, settings: Settings, library: typing.Any) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._threads = thread.ThreadPoolExecutor(_THREADS)
        self._printed = 0
        self._late: dict[int, int] = {}
        self.settings = settings
        self.library = library
        self.stream = Stream(connection)
        self.objects = Objects.none()
        #: Of buffers; None where devices have memory of their own.
        self.room: Room | None = None
        self.event = ffi.new("H *")
        self.error = ffi.new("I *")
        #: Staging memory of writes, by the event at which it is free again.
        self.staged: list[tuple[Handle, Handle]] = []

    def serve(self, handlers: typing.Mapping[int, tuple[table.Message, Handler]]) -> None:
        """Handle messages until the client leaves or sends what is not a message."""
        header, stream = table.REQUEST, self.stream
        while True:
            try:
                number, flags, sequence, length = header.unpack(stream.take(header.size))
                known = handlers.get(number)
                if known is None:
                    if length > table.LIMITS["control"]:
                        return
                    stream.drop(length)
                    if flags & table.ANSWER:
                        self.reply(sequence, codes.INVALID_OPERATION)
                    continue
                if length > known[0].limit:
                    return
                self._handle(*known, flags, sequence, length)
            except (EOFError, ConnectionError, MemoryError):
                return

    def _handle(
        self,
        message: table.Message,
        handler: Handler,
        flags: int,
        sequence: int,
        length: int,
    ) -> None:
        size = message.struct.size
        values: tuple[int, ...] = ()
        status, reply = codes.SUCCESS, None
        if length < size:
            self.stream.drop(length)
            status = codes.INVALID_VALUE
        else:
            values = message.struct.unpack(self.stream.take(size))
            rest = length - size
            try:
                if message.name == STREAMED:
                    reply = handler(self, (flags, sequence), rest, *values)
                else:
                    tail = self.stream.take(rest)
                    reply = handler(self, (flags, sequence), tail, *values)
            except Refused as e:
                status = e.code
            except (struct.error, ValueError, OverflowError):
                status = codes.INVALID_VALUE
        if reply is None and status == codes.SUCCESS:
            return  # the handler replies by itself, or has a thread do so
        if status != codes.SUCCESS and message.command and values:
            self._fail(values[0], values[1], status, flags & table.ANSWER)
        if flags & table.ANSWER:
            self.reply(sequence, status, reply or b"")

    def _fail(self, queue: int, event: int, status: int, answered: int) -> None:
        """Have a failed command's event and queue say so."""
        if event and event not in self.objects.events:
            self.objects.failed[event] = status
        if not answered and queue in self.objects.queues:
            self._late.setdefault(queue, status)

    def late(self, queue: int) -> int:
        """The first error of a queue that nobody waited for, once."""
        return self._late.pop(queue, codes.SUCCESS)

    def reply(self, sequence: int, status: int, body: bytes | memoryview = b"") -> None:
        """Send a reply; large bodies are not copied."""
        head = table.REPLY.pack(sequence, status, len(body))
        with self._sending:
            if len(body) <= 1 << 14:
                self._connection.sendall(head + body)
            else:
                self._connection.sendall(head)
                self._connection.sendall(body)

    def in_background(
        self,
        sequence: int,
        work: typing.Callable[[], bytes | memoryview],
        done: typing.Callable[[int], None] = lambda _: None,
    ) -> None:
        """Have a thread do what may wait for a later message, and reply.

        :param done: called with the status once the reply is sent
        """

        def run() -> None:
            status: int = codes.SUCCESS
            body: bytes | memoryview = b""
            try:
                body = work()
            except Refused as e:
                status = e.code
            try:
                self.show_output()
                self.reply(sequence, status, body)
            except OSError:
                os._exit(0)  # the client has left
            done(status)

        try:
            self._threads.submit(run)
        except RuntimeError:  # no thread can be started: the limit of processes
            raise Refused(codes.OUT_OF_RESOURCES) from None

    def must_not_block(self, flags: int) -> bool:
        """Whether waiting here might last until a message that only this thread can receive."""
        return bool(flags & table.BACKGROUND or self.objects.unset)

    def show_output(self) -> None:
        """Send what kernels have printed to standard output since the last time."""
        if os.lseek(1, 0, os.SEEK_END) == self._printed:  # cheaper than its status
            return
        with self._sending:
            while part := os.pread(1, table.LIMITS["output"], self._printed):
                self._printed += len(part)
                self._connection.sendall(table.REPLY.pack(0, 0, len(part)) + part)

    def waits(self, count: int, tail: memoryview) -> tuple[Handle, memoryview]:
        """A wait list for OpenCL, and the tail after it.

        :raises Refused: it has an event that does not exist or has failed
        """
        if not count:
            return NULL, tail
        numbers = struct.unpack_from(f"<{count}Q", tail)
        return ffi.new("H[]", self.events(numbers)), tail[8 * count :]

    def events(self, numbers: typing.Iterable[int]) -> list[Handle]:
        """The handles of events.

        :raises Refused: one does not exist or has failed
        """
        failed, events = self.objects.failed, self.objects.events
        if failed and any(number in failed for number in numbers):
            raise Refused(codes.EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        return [events[number] for number in numbers]

    def free_event(self, number: int) -> None:
        """See that a command's event, if it is to have one, has a new number."""
        if number:
            self.objects.events.free(number)

    def enqueued(self, code: int, number: int) -> bytes:
        """Note the event of a command.

        :raises Refused: it was not enqueued
        """
        check(code)
        if number:
            self.objects.events[number] = self.event[0]
        return b""

    def event_or_none(self, number: int) -> Handle:
        """Where a command gives its event, if it is to have one."""
        return self.event if number else NULL

    def checked(self, handle: Handle) -> Handle:
        """What a function of OpenCL made.

        :raises Refused: it made nothing
        """
        check(self.error[0])
        return handle

    def wait(self, handles: list[Handle]) -> None:
        """Wait for events.

        :raises Refused: a command has failed
        """
        check(self.library.clWaitForEvents(len(handles), ffi.new("H[]", handles)))

    def stage(self, event: Handle, memory: Handle) -> None:
        """Keep memory until a command that reads it has ended."""
        self.staged.append((event, memory))
        if len(self.staged) > 64:
            self.reap()

    def reap(self) -> None:
        """Forget staging memory whose commands have ended."""
        status, rest = ffi.new("I *"), []
        for event, memory in self.staged:
            name = codes.EVENT_COMMAND_EXECUTION_STATUS
            self.library.clGetEventInfo(event, name, 4, status, NULL)
            if status[0] <= codes.COMPLETE:
                self.library.clReleaseEvent(event)
            else:
                rest.append((event, memory))
        self.staged = rest


def open_session(connection: Connection, settings: Settings) -> Session:
    """A session in a worker that is confined.

    :raises OSError: OpenCL is not installed
    """
    # Printing never waits for us so, and ends at the limit of a file's size.
    output = os.memfd_create("output")
    os.dup2(output, 1)
    os.close(output)
    fcntl.fcntl(1, fcntl.F_SETFL, os.O_APPEND)
    return Session(connection, settings, opencl.load())
