# SPDX-License-Identifier: Apache-2.0
"""What stands beside the times of OpenCL: the socket alone, and the end of a session."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import typing
from collections.abc import Callable

from fpga_opencl import client
from tests.support import opencl
from tests.support.host import wait_until

#: Bytes of the large transfers.
LARGE = 64 << 20
_WORKER = 600 << 20  # bytes of a worker whose client is killed
_PATIENCE = 60  # seconds
_CLIENT = f"""
import sys, time
from fpga_opencl import client
session = client.open_session(sys.argv[1])
context = session.contexts.create(session.devices.list())
queue = session.queues.create(context, session.devices.list()[0])
buffer = session.buffers.create(context, {_WORKER})
session.queues.enqueue_write(queue, buffer, 0, bytes({_WORKER}))
session.queues.finish(queue)
print("written", flush=True)
time.sleep({_PATIENCE})
"""


def times(action: Callable[[], None], count: int, of_each: int = 1) -> list[float]:
    """Seconds of each of `of_each` actions, measured so many times."""
    action()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        seconds.append((time.perf_counter() - begin) / of_each)
    return seconds


@contextlib.contextmanager
def processors(place: typing.Collection[int]) -> typing.Iterator[None]:
    """Have this thread, and what it starts, use these processors alone; by default, all."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, place or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_trips(
    place: typing.Collection[int] = (), other: typing.Collection[int] = ()
) -> list[float]:
    """Seconds of a round trip of 64 bytes.

    :param place: processors of this end
    :param other: those of the other end
    """
    content = memoryview(bytearray(64))
    with processors(place), _echoing(other) as connection:

        def trip() -> None:
            connection.sendall(content)
            _receive(connection, content)

        return times(trip, 1000)


def measure_socket() -> dict[str, list[float]]:
    """Seconds of 64 MiB one way."""
    with _echoing() as connection:
        return {"64 MiB one way": measure_rate(connection, 8)}


@contextlib.contextmanager
def _echoing(place: typing.Collection[int] = ()) -> typing.Iterator[socket.socket]:
    """A connection to a process that echoes.

    :param place: processors of that process
    """
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            one.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    with ours:
        with theirs, processors(place):
            pid = os.fork()
            if pid == 0:
                ours.close()
                echo(theirs)
        yield ours
    os.waitpid(pid, 0)


def measure_rate(connection: socket.socket, count: int) -> list[float]:
    """Seconds of 64 MiB one way to a process that echoes; nothing but this follows.

    :param count: how often it is measured
    """
    content = memoryview(bytearray(LARGE))
    connection.sendall(b"L" * 64)
    _receive(connection, content[:64])

    def large() -> None:
        connection.sendall(content)
        _receive(connection, content[:1])

    return times(large, count)


def _receive(connection: socket.socket, target: memoryview) -> bool:
    done = 0
    while done < len(target):
        count = connection.recv_into(target[done:])
        if not count:
            return False
        done += count
    return True


def echo(connection: socket.socket) -> typing.NoReturn:
    """Send 64 bytes back, or take 64 MiB, until the other side leaves; the process ends."""
    small, large = memoryview(bytearray(64)), memoryview(bytearray(LARGE))
    while _receive(connection, small):
        connection.sendall(small)
        if small[0] == ord("L"):
            while _receive(connection, large):
                connection.sendall(b"1")
    os._exit(0)


def measure_ends(node: opencl.Node, count: int) -> dict[str, list[float]]:
    """Seconds until a worker's memory is back, or a program sees that its worker has ended."""
    return {
        "client killed": [_kill_client(node) for _ in range(count)],
        "worker killed": [_kill_worker(node) for _ in range(count)],
    }


def _kill_client(node: opencl.Node) -> float:
    words = [sys.executable, "-c", _CLIENT, node.socket]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=opencl.ROOT) as process:  # noqa: S603
        if process.stdout is None or process.stdout.readline() != b"written\n":
            raise RuntimeError("the client has no worker")
        (worker,) = node.wait(1)
        begin = time.perf_counter()
        process.kill()
        wait_until(lambda: not opencl.runs(worker), _PATIENCE)
        seconds = time.perf_counter() - begin
    node.wait(0)
    return seconds


def _kill_worker(node: opencl.Node) -> float:
    with client.open_session(node.socket) as session:
        (worker,) = node.wait(1)
        begin = time.perf_counter()
        os.kill(worker, signal.SIGKILL)
        try:
            while True:
                session.devices.show(1)
        except client.DeviceLost:
            seconds = time.perf_counter() - begin
    node.wait(0)
    return seconds
