# SPDX-License-Identifier: Apache-2.0
"""Carries bytes between a connection with TLS and a plain one, until either is closed."""

import select
import socket
import time

from fpga_opencl.afar.secure import Secure

#: Bytes that are carried at a time in each direction: so many records are one write.
_SIZE = 1 << 18
#: Bytes of the plain socket's; the kernel gives what it allows.
_BUFFER = 4 << 20
#: Seconds for the rest of what a plain side sent that is gone: none waits for a slow reader.
REST = 30.0


class Relay:
    """Two connections and what is under way between them.

    :param secure: OpenSSL allows one thread at a time, so one serves both directions
    """

    def __init__(self, secure: Secure, plain: socket.socket) -> None:
        self._secure, self._plain = secure, plain
        self._in, self._out = memoryview(bytearray(_SIZE)), memoryview(bytearray(_SIZE))
        #: What was received by TLS, and not yet sent to the plain side.
        self._received = self._in[:0]
        self._secure_events = self._plain_events = 0
        #: When to end although something is unsent; None while the plain side is there.
        self._until: float | None = None

    def run(self) -> None:
        """Carry bytes; both connections are open still."""
        secure, plain = self._secure, self._plain
        secure.plain.setblocking(False)
        plain.setblocking(False)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        try:
            while True:
                self._secure_events = self._plain_events = 0
                progress = self._inwards()
                if not self._outwards() and not progress:
                    self._wait()
        except (EOFError, OSError):
            return

    def _wait(self) -> None:
        """Wait until something can move.

        :raises EOFError: nothing can any more
        """
        poll = select.poll()
        poll.register(self._secure.plain, self._secure_events)
        # One that has closed is not looked at again before what it sent is carried.
        if self._plain_events or self._until is None:
            poll.register(self._plain, self._plain_events)
        remaining = None if self._until is None else self._until - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise EOFError
        for descriptor, events in poll.poll(None if remaining is None else remaining * 1000):
            if not events & (select.POLLHUP | select.POLLERR):
                continue
            if descriptor == self._plain.fileno():
                self._until = self._until or time.monotonic() + REST
            elif not self._secure_events:
                raise EOFError

    def _inwards(self) -> bool:
        """From TLS to the plain side; whether anything moved."""
        moved = False
        if not self._received:
            count = self._receive()
            self._received = self._in[:count]
            moved = count > 0
        if self._received:
            try:
                sent = self._plain.send(self._received)
            except BlockingIOError:
                self._plain_events |= select.POLLOUT
            else:
                self._received = self._received[sent:]
                moved = True
        return moved

    def _receive(self) -> int:
        """Receive as many records as there are and as have room.

        :raises EOFError: there are no more
        """
        while (count := self._secure.decrypt(self._in)) is None:
            try:
                taken = self._secure.take()
            except BlockingIOError:
                self._secure_events |= select.POLLIN
                return 0
            if not taken:
                raise EOFError
        if not count:
            raise EOFError
        return count

    def _outwards(self) -> bool:
        """From the plain side to TLS; whether anything moved."""
        if not self._secure.unsent:
            try:
                count = self._plain.recv_into(self._out)
            except BlockingIOError:
                self._plain_events |= select.POLLIN
                return False
            if count == 0:
                raise EOFError
            self._secure.encrypt(self._out[:count])
        try:
            self._secure.flush()
        except BlockingIOError:
            self._secure_events |= select.POLLOUT
            return False
        return True
