# SPDX-License-Identifier: Apache-2.0
"""A worker: the functions that handle messages, and one session of them."""

import socket
import typing

from fpga_opencl.afar import rings
from fpga_opencl.node import boxes, create, launches, programs, queries, transfers, waiting
from fpga_opencl.node.session import Handler, open_session
from fpga_opencl.node.settings import Settings
from fpga_opencl.protocol import table
from fpga_opencl.protocol.streams import Connection

_BUFFERS = 4 << 20  # bytes of a socket's; the kernel gives what it allows
_BY_NAME: dict[str, Handler] = {
    "hello": queries.hello,
    "query": queries.query,
    "formats": queries.formats,
    "release": create.release,
    "create_sub_devices": create.sub_devices,
    "create_context": create.context,
    "create_queue": create.queue,
    "create_buffer": create.buffer,
    "create_sub_buffer": create.sub_buffer,
    "create_image": create.image,
    "create_sampler": create.sampler,
    "create_program_with_source": programs.with_source,
    "create_program_with_binary": programs.with_binary,
    "build_program": programs.build,
    "compile_program": programs.compile_,
    "link_program": programs.link,
    "create_kernel": programs.kernel,
    "clone_kernel": programs.clone,
    "set_argument": programs.argument,
    "create_user_event": waiting.user_event,
    "set_user_event": waiting.set_user_event,
    "flush": waiting.flush,
    "finish": waiting.finish,
    "wait": waiting.wait,
    "enqueue_marker": waiting.marker,
    "enqueue_barrier": waiting.barrier,
    "enqueue_kernel": launches.kernel,
    "enqueue_read": transfers.read,
    "enqueue_write": transfers.write,
    "enqueue_copy": transfers.copy,
    "enqueue_fill": transfers.fill,
    "enqueue_migrate": transfers.migrate,
    "enqueue_read_rectangle": boxes.read_rectangle,
    "enqueue_write_rectangle": boxes.write_rectangle,
    "enqueue_copy_rectangle": boxes.copy_rectangle,
    "enqueue_read_image": boxes.read_image,
    "enqueue_write_image": boxes.write_image,
    "enqueue_copy_image": boxes.copy_image,
    "enqueue_copy_image_to_buffer": boxes.image_to_buffer,
    "enqueue_copy_buffer_to_image": boxes.buffer_to_image,
    "enqueue_fill_image": boxes.fill_image,
}
HANDLERS = {one.number: (one, _BY_NAME[name]) for name, one in table.MESSAGES.items()}


def prepare(connection: socket.socket, settings: Settings) -> typing.Callable[[], None]:
    """What a worker runs once it is confined."""
    widen(connection)
    return lambda: serve(connection, settings)


def prepare_rings(connection: socket.socket, settings: Settings) -> typing.Callable[[], None]:
    """What a worker runs that has rings to its gate."""
    ends = rings.Connection(connection)
    return lambda: serve(ends, settings)


def widen(connection: socket.socket) -> None:
    """Have a socket hold much."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, _BUFFERS)


def serve(connection: Connection, settings: Settings) -> None:
    """Serve a client until it leaves; the process is confined already.

    :raises OSError: OpenCL is not installed
    """
    open_session(connection, settings).serve(HANDLERS)
