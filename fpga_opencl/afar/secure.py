# SPDX-License-Identifier: Apache-2.0
"""A connection with TLS whose records come from memory.

`ssl.SSLSocket` reads a record by two calls of the kernel, and writes it by one. A call here carries
as many records as there are, which takes a sixth of the time of large transfers away.
"""

import contextlib
import socket
import ssl
import time
import types

#: Bytes of a call of the kernel.
_SIZE = 1 << 18


class Secure:
    """One end of a connection; threads do not share it, but any may call `shutdown`.

    :param plain: the connection
    """

    def __init__(
        self,
        plain: socket.socket,
        context: ssl.SSLContext,
        server_side: bool = False,
    ) -> None:
        self.plain = plain
        self._received, self._sendable = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._records = context.wrap_bio(self._received, self._sendable, server_side)
        self._room = memoryview(bytearray(_SIZE))
        self._seconds: float | None = None
        #: Records that the kernel has not taken yet.
        self._unsent = memoryview(b"")

    def __enter__(self) -> "Secure":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: types.TracebackType | None,
    ) -> None:
        self.close()

    def handshake(self, until: float) -> None:
        """Agree on keys.

        :param until: an end to waiting, of the monotonic clock
        :raises OSError: the other side is not who it should be, or does not answer in time
        """
        while True:
            try:
                self._records.do_handshake()
            except ssl.SSLWantReadError:
                self._flush_all()
                self._limit(until)
                if not self.take():
                    raise ConnectionError("the other side closed the connection") from None
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush_all()  # why
                raise
            else:
                break
        self._flush_all()

    def settimeout(self, seconds: float | None) -> None:
        """Wait so long in each call."""
        self._seconds = seconds
        self.plain.settimeout(seconds)

    def receive(self, size: int, until: float) -> bytes:
        """So many bytes, in however many pieces they come.

        :param until: an end to waiting, of the monotonic clock
        :raises OSError: they do not come in time, or the other side has closed
        """
        content = memoryview(bytearray(size))
        done = 0
        while done < size:
            count = self._some(content[done:], until)
            if not count:
                raise ConnectionError("the other side closed the connection")
            done += count
        return bytes(content)

    def _some(self, room: memoryview, until: float | None) -> int:
        while (count := self.decrypt(room)) is None:
            # Before each piece: a record may come in many.
            if until is not None:
                self._limit(until)
            if not self.take():
                return 0
        return count

    def _limit(self, until: float) -> None:
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the other side did not answer in time")
        self.plain.settimeout(remaining)

    def recv(self, size: int) -> bytes:
        """So many bytes at most; none at the end."""
        room = memoryview(bytearray(size))
        return bytes(room[: self.recv_into(room)])

    def recv_into(self, room: memoryview) -> int:
        """Receive into memory, as much as there is; nothing at the end."""
        until = None if self._seconds is None else time.monotonic() + self._seconds
        return self._some(room, until)

    def sendall(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        rest = memoryview(content)
        while len(rest):
            self.encrypt(rest[:_SIZE])
            rest = rest[_SIZE:]
            self._flush_all()

    def shutdown(self, how: int) -> None:
        """End the connection below TLS."""
        self.plain.shutdown(how)

    def close(self) -> None:
        """Close it."""
        self.plain.close()

    # By parts, for those that must not wait

    def take(self) -> int:
        """Receive records, as many as there are; nothing at the end of the connection."""
        count = self.plain.recv_into(self._room)
        self._received.write(self._room[:count])
        return count

    def decrypt(self, room: memoryview) -> int | None:
        """Content of records that were taken; None if more are needed, and nothing at the end."""
        count, size, read = 0, len(room), self._records.read
        try:
            while count < size and (part := read(size - count, room[count:])):
                count += int(part)
        except ssl.SSLWantReadError:
            return count or None
        return count

    def encrypt(self, content: memoryview) -> None:
        """Have content sent by `flush`."""
        self._records.write(content)

    @property
    def unsent(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._unsent or self._sendable.pending)

    def flush(self) -> None:
        """Send records, as many as there is room for.

        :raises BlockingIOError: there is none
        """
        if not self._unsent:
            self._unsent = memoryview(self._sendable.read())
        self._unsent = self._unsent[self.plain.send(self._unsent) :]

    def _flush_all(self) -> None:
        while self.unsent:
            self.flush()
