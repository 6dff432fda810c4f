# SPDX-License-Identifier: Apache-2.0
"""Ways between two processes of a host: memory that both have, with a ring for each direction.

They are between gate and worker, and between the agent and a program that asks for them.

A side puts content into a ring and sends its length over a socket; the other side takes it and, now
and then, sends how much it has taken. No count is in the memory: each side has its own, and ends
the connection on a number that does not fit. A worker is in the hands of its client's kernels, and
a program is anybody's.
"""

import contextlib
import fcntl
import mmap
import os
import select
import socket
import struct
import typing

#: Bytes of a ring.
SIZE = 4 << 20
#: Bytes that are put or taken at a time.
_PIECE = 1 << 18
#: Bytes after which a side reports what it has used: each report may wake the other side up.
_MUCH = SIZE // 4
#: Who puts less than so many bytes has no more just now.
_LITTLE = 1 << 15
_NUMBER = struct.Struct("<I")
#: Bytes of numbers that are received at a time.
_NUMBERS = 64 * _NUMBER.size
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a way; each receives what it needs to be a gate's, or a worker's.

    :raises OSError: there are no descriptors or no memory
    """
    with contextlib.ExitStack() as undone:
        ends = socket.socketpair()
        for one in ends:
            undone.enter_context(one)
        with _memory() as memory:
            for one, bell in zip(ends, bells := socket.socketpair(), strict=True):
                _send(one, bell, memory)
            for bell in bells:
                bell.close()
        undone.pop_all()
    return ends


@contextlib.contextmanager
def offered(connection: socket.socket) -> typing.Iterator[tuple["Half", "Half"]]:
    """Give rings to whom a connection is to: it gets what a gate gets of `pair`.

    :returns: what comes from there, and what goes there: neither waits
    :raises OSError: there are no descriptors or no memory, or too many descriptors that others have
        not received; nothing was sent
    """
    here, there = socket.socketpair()
    with here:
        with there, _memory() as memory:
            mapped = mmap.mmap(memory, 2 * SIZE)
            _send(connection, there, memory)
        room = memoryview(mapped)
        for one in (connection, here):
            one.setblocking(False)
        try:
            yield Half(room[:SIZE], connection, False), Half(room[SIZE:], here, True)
        finally:
            # The other side may keep the memory, which counts for who wrote it: now for nobody. The
            # other side believes no content that it took after these sockets have ended.
            for one in (connection, here):
                one.shutdown(socket.SHUT_RDWR)
            mapped.madvise(mmap.MADV_REMOVE)


@contextlib.contextmanager
def _memory() -> typing.Iterator[int]:
    """Memory for both rings."""
    memory = os.memfd_create("rings", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(memory, "rb", 0):
        os.ftruncate(memory, 2 * SIZE)
        # Neither side can take away what the other one reads.
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
        yield memory


def _send(connection: socket.socket, bell: socket.socket, memory: int) -> None:
    socket.send_fds(connection, [b"r"], [bell.fileno(), memory])


def _receive(connection: socket.socket) -> tuple[socket.socket, memoryview]:
    """The socket of the second ring, and the memory of both.

    :raises EOFError: it is no end of `pair`
    """
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 2)
    if len(descriptors) < 2:
        raise EOFError
    try:
        memory = mmap.mmap(descriptors[1], 2 * SIZE)
    finally:
        os.close(descriptors[1])
    return socket.socket(fileno=descriptors[0]), memoryview(memory)


class Half:
    """One side of a ring.

    :param memory: of the ring
    :param bell: to the other side; it waits, or does not
    :param puts: whether this side puts content there, or takes it
    :ivar events: what it needs of the socket before there is a piece
    """

    def __init__(self, memory: memoryview, bell: socket.socket, puts: bool) -> None:
        self._memory, self._bell, self._puts = memory, bell, puts
        #: Bytes that are this side's, and where they begin.
        self._count, self._at = SIZE if puts else 0, 0
        #: Bytes that were used and not reported.
        self._unreported = 0
        self.events = 0

    def fileno(self) -> int:
        """Of its socket."""
        return self._bell.fileno()

    def piece(self) -> memoryview:
        """What is this side's now, or a part of it; empty only where the socket does not wait.

        :raises ConnectionError: the other side is gone, or reports what it never had
        """
        if not self._count:
            self._report()
            self._hear()
        return self._memory[self._at : self._at + min(self._count, SIZE - self._at, _PIECE)]

    def use(self, count: int) -> None:
        """Leave the begin of a piece to the other side, which hears of it once that is much.

        :param count: little, or 0, from a side that puts no more just now
        """
        self._at = (self._at + count) % SIZE
        self._count -= count
        self._unreported += count
        if self._unreported >= _MUCH or (self._puts and count < _LITTLE):
            self._report()

    def _report(self) -> None:
        if self._unreported < (1 if self._puts else _MUCH):
            return
        try:
            self._bell.send(_NUMBER.pack(self._unreported))
        except BlockingIOError:
            self.events |= select.POLLOUT
            return
        except ConnectionError:
            pass  # what it put before it went is taken still
        self._unreported = 0

    def _hear(self) -> None:
        """Receive what the other side reports."""
        try:
            content = self._bell.recv(_NUMBERS)
        except BlockingIOError:
            self.events |= select.POLLIN
            return
        if not content or len(content) % _NUMBER.size:
            raise ConnectionResetError
        for (count,) in _NUMBER.iter_unpack(content):
            if not 0 < count <= SIZE - self._count - self._unreported:
                raise ConnectionResetError
            self._count += count


def halves(connection: socket.socket) -> tuple[Half, Half]:
    """What comes from a worker, and what goes there, for a gate: neither waits.

    :param connection: an end of `pair`
    :raises EOFError, OSError: there are no rings
    """
    bell, memory = _receive(connection)
    bell.setblocking(False)
    connection.setblocking(False)
    return Half(memory[SIZE:], bell, False), Half(memory[:SIZE], connection, True)


class Connection:
    """A worker's side, instead of a socket to a client.

    :param connection: the other end of `pair`
    :raises EOFError, OSError: there are no rings
    """

    def __init__(self, connection: socket.socket) -> None:
        bell, memory = _receive(connection)
        self._source = Half(memory[:SIZE], connection, False)
        self._sink = Half(memory[SIZE:], bell, True)

    def recv_into(self, room: memoryview) -> int:
        """Receive into memory, as much as there is.

        :raises ConnectionError: the gate is gone
        """
        piece = self._source.piece()
        count = min(len(room), len(piece))
        room[:count] = piece[:count]
        self._source.use(count)
        return count

    def sendall(self, content: bytes | memoryview) -> None:
        """Send all of it.

        :raises ConnectionError: the gate is gone
        """
        rest = memoryview(content)
        while rest:
            piece = self._sink.piece()
            count = min(len(rest), len(piece))
            piece[:count] = rest[:count]
            self._sink.use(count)
            rest = rest[count:]
        self._sink.use(0)
