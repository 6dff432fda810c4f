# SPDX-License-Identifier: Apache-2.0
"""Carries bytes between a connection with TLS and a plain one, until either is closed."""

import select
import socket
import ssl

#: Bytes that are carried at a time in each direction: so many records are one write.
_SIZE = 1 << 18


class Relay:
    """Two connections and what is under way between them.

    :param secure: OpenSSL allows one thread at a time, so one serves both directions
    """

    def __init__(self, secure: ssl.SSLSocket, plain: socket.socket) -> None:
        self._secure, self._plain = secure, plain
        self._in, self._out = memoryview(bytearray(_SIZE)), memoryview(bytearray(_SIZE))
        #: What was received from each side, and not yet sent to the other one.
        self._received, self._sendable = self._in[:0], self._out[:0]
        self._secure_events = self._plain_events = 0

    def run(self) -> None:
        """Carry bytes; both connections are open still, and nothing is to be read from them."""
        secure, plain = self._secure, self._plain
        secure.setblocking(False)
        plain.setblocking(False)
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
        poll.register(self._secure, self._secure_events)
        # One that has closed is not looked at before what it sent is carried.
        if self._plain_events:
            poll.register(self._plain, self._plain_events)
        for descriptor, events in poll.poll():
            gone = events & (select.POLLHUP | select.POLLERR)
            if gone and descriptor == self._secure.fileno() and not self._secure_events:
                raise EOFError

    def _inwards(self) -> bool:
        """From TLS to the plain side; whether anything moved."""
        moved = False
        if not self._received:
            count = self._decrypt()
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

    def _decrypt(self) -> int:
        """Receive as many records as there are and as have room."""
        count = 0
        while count < _SIZE:
            try:
                part = self._secure.recv_into(self._in[count:])
            except ssl.SSLWantReadError:
                self._secure_events |= select.POLLIN
                break
            except ssl.SSLWantWriteError:
                self._secure_events |= select.POLLOUT
                break
            if part == 0:
                if count:
                    break  # the end comes again
                raise EOFError
            count += part
        return count

    def _outwards(self) -> bool:
        """From the plain side to TLS; whether anything moved."""
        moved = False
        if not self._sendable:
            try:
                count = self._plain.recv_into(self._out)
            except BlockingIOError:
                self._plain_events |= select.POLLIN
                return False
            if count == 0:
                raise EOFError
            self._sendable = self._out[:count]
            moved = True
        try:
            sent = self._secure.send(self._sendable)
        except ssl.SSLWantWriteError:
            self._secure_events |= select.POLLOUT
        except ssl.SSLWantReadError:
            self._secure_events |= select.POLLIN
        else:
            self._sendable = self._sendable[sent:]
            moved = True
        return moved
