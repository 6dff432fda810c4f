# SPDX-License-Identifier: Apache-2.0
"""Command queues. Each command gives the number of its event and takes those it waits for."""

import struct
import typing

from fpga_opencl.client.connection import Connection
from fpga_opencl.client.resources import Objects, numbers
from fpga_opencl.protocol import codes, table

Waits = typing.Sequence[int]


class Queues(Objects):
    """Command queues."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "queue", codes.INVALID_COMMAND_QUEUE)

    def create(self, context: int, device: int, properties: int = 0) -> int:
        """Make a queue.

        :param properties: CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, CL_QUEUE_PROFILING_ENABLE
        :raises OpenCLError: there is no such context or device
        """
        number = self._connection.number()
        self._connection.call("create_queue", number, context, device, properties)
        return self._add(number, {"context": context, "device": device, "properties": properties})

    def enqueue_read(
        self, queue: int, buffer: int, offset: int, size: int, waits: Waits = ()
    ) -> bytes:
        """Read from a buffer; gives the content.

        :raises OpenCLError: it has no such part, or a command before it failed
        """
        return self._connection.call(
            "enqueue_read", queue, 0, len(waits), 1, buffer, offset, size, tail=numbers(waits)
        )

    def enqueue_write(
        self, queue: int, buffer: int, offset: int, content: bytes, waits: Waits = ()
    ) -> int:
        """Write to a buffer.

        :raises OpenCLError: it has no such part
        """
        words = (buffer, offset, len(content))
        return self._command("enqueue_write", queue, waits, words, content)

    def enqueue_copy(
        self, queue: int, source: int, target: int, part: tuple[int, int, int], waits: Waits = ()
    ) -> int:
        """Copy from one buffer to another.

        :param part: offsets in source and target, and size
        :raises OpenCLError: they have no such parts
        """
        return self._command("enqueue_copy", queue, waits, (source, target, *part))

    def enqueue_ndrange(
        self,
        queue: int,
        kernel: int,
        sizes: typing.Sequence[int],
        local: typing.Sequence[int] | None = None,
        offset: typing.Sequence[int] | None = None,
        waits: Waits = (),
    ) -> int:
        """Run a kernel.

        :param sizes: work items of each dimension
        :param local: those of a work group
        :raises OpenCLError: it cannot run so
        """
        given = 2 | (1 if offset is not None else 0) | (4 if local is not None else 0)
        words = [_three(offset or ()), _three(sizes), _three(local or ())]
        shape = (kernel, len(sizes), given, *(word for three in words for word in three))
        return self._command("enqueue_kernel", queue, waits, shape)

    def enqueue_task(self, queue: int, kernel: int, waits: Waits = ()) -> int:
        """Run a kernel once.

        :raises OpenCLError: it cannot run
        """
        return self.enqueue_ndrange(queue, kernel, [1], [1], waits=waits)

    def enqueue_barrier(self, queue: int, waits: Waits = ()) -> int:
        """Have later commands wait for earlier ones.

        :raises OpenCLError: there is no such queue or event
        """
        return self._command("enqueue_barrier", queue, waits, ())

    def finish(self, queue: int) -> None:
        """Wait for all commands.

        :raises OpenCLError: one failed that nobody waited for, or there is no such queue
        """
        self._connection.call("finish", queue)

    def _command(
        self,
        name: str,
        queue: int,
        waits: Waits,
        words: typing.Sequence[int],
        content: bytes = b"",
    ) -> int:
        event = self._connection.number()
        tail = numbers(waits) + content
        self._connection.call(name, queue, event, len(waits), 0, *words, tail=tail)
        return event

    def status(self, event: int) -> int:
        """The status of a command: 0 once it is complete, negative if it failed.

        :raises OpenCLError: there is no such event
        """
        query, parameter = table.QUERIES["event"], codes.EVENT_COMMAND_EXECUTION_STATUS
        value = self._connection.call("query", query, parameter, event, 0)
        return int(struct.unpack("<i", value)[0])

    def forget(self, event: int) -> None:
        """Give an event up; without that, its session keeps it.

        :raises OpenCLError: there is no such event
        """
        self._connection.call("release", table.KINDS["event"], 0, event)


def _three(values: typing.Sequence[int]) -> list[int]:
    return [*values, 0, 0, 0][:3]
