# SPDX-License-Identifier: Apache-2.0
"""Reads a stream socket in pieces of known sizes."""

import typing

_SIZE = 1 << 18
#: More than this is read into memory of its own.
_LARGE = 1 << 15


class Connection(typing.Protocol):
    """A socket, or what sends and receives as one does."""

    def recv_into(self, room: memoryview, /) -> int:
        """Receive into memory; nothing at the end."""

    def sendall(self, content: bytes | memoryview, /) -> None:
        """Send all of it."""


class Stream:
    """What a socket receives.

    :raises EOFError: in each of its functions: the other side has closed
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._buffer = bytearray(_SIZE)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    @property
    def waiting(self) -> bool:
        """Whether something was received that nobody has taken yet."""
        return self._start < self._end

    def take(self, size: int) -> memoryview:
        """So many bytes; those of a small piece are good until the next one is taken.

        :raises MemoryError: there is no room for them
        """
        if size > _LARGE:
            large = memoryview(bytearray(size))
            self.fill(large)
            return large
        if self._end - self._start < size:
            self._receive(size)
        start = self._start
        self._start += size
        return self._view[start : self._start]

    def fill(self, target: memoryview) -> None:
        """Receive into memory, until that is full."""
        size = len(target)
        done = min(size, self._end - self._start)
        target[:done] = self._view[self._start : self._start + done]
        self._start += done
        while done < size:
            done += self._some(target[done:])

    def drop(self, size: int) -> None:
        """Receive so many bytes and forget them."""
        while size:
            if self._start == self._end:
                self._start, self._end = 0, self._some(self._view)
            count = min(size, self._end - self._start)
            self._start += count
            size -= count

    def _receive(self, size: int) -> None:
        rest = self._end - self._start
        if self._start + size > _SIZE or not rest:
            self._view[:rest] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, rest
        while self._end - self._start < size:
            self._end += self._some(self._view[self._end :])

    def _some(self, target: memoryview) -> int:
        count = self._connection.recv_into(target)
        if count == 0:
            raise EOFError
        return count
