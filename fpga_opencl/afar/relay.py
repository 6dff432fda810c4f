# SPDX-License-Identifier: Apache-2.0
"""Carries bytes between a connection with TLS and a plain one, until either is closed."""

import collections
import select
import socket
import time
import typing

from fpga_opencl.afar.secure import Secure

#: Bytes that are carried at a time in each direction: so many records are one write.
_SIZE = 1 << 18
#: Pieces that are carried one way, at most, before the other way is looked at.
_PIECES = 8
#: Bytes of the plain socket's; the kernel gives what it allows.
_BUFFER = 4 << 20
#: Seconds for the rest of what a plain side sent that is gone: none waits for a slow reader.
REST = 30.0


class Half(typing.Protocol):
    """One direction of the plain side; nothing here waits.

    :ivar events: what it needs of its descriptor before there is a piece
    """

    events: int

    def fileno(self) -> int:
        """Its descriptor."""

    def piece(self) -> memoryview:
        """What has come, or where something may be put; empty if there is none now.

        :raises EOFError, OSError: there never will be
        """

    def use(self, count: int) -> None:
        """Be done with the begin of a piece: it was taken, or is to be sent.

        :param count: 0 if no more is to be sent just now
        """


class Source:
    """What comes from a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._room = memoryview(bytearray(_SIZE))
        self.events = 0

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    def piece(self) -> memoryview:
        """Receive; the piece is to be used as a whole."""
        try:
            count = self._socket.recv_into(self._room)
        except BlockingIOError:
            self.events |= select.POLLIN
            return self._room[:0]
        if not count:
            raise EOFError
        return self._room[:count]

    def use(self, count: int) -> None:
        """Do nothing: the next one overwrites it."""


class Sink:
    """What goes to a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._room = memoryview(bytearray(_SIZE))
        self._unsent = self._room[:0]
        self.events = 0

    def fileno(self) -> int:
        """The socket's."""
        return self._socket.fileno()

    def piece(self) -> memoryview:
        """Where something may be put: nowhere before all is sent that was."""
        self._send()
        return self._room[:0] if self._unsent else self._room

    def use(self, count: int) -> None:
        """Send as much as there is room for."""
        self._unsent = self._room[:count]
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            self.events |= select.POLLOUT


def halves(plain: socket.socket) -> tuple[Source, Sink]:
    """Both directions of a socket, which waits no more from now on."""
    plain.setblocking(False)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return Source(plain), Sink(plain)


def _some(way: typing.Callable[[], bool]) -> bool:
    """Carry a few pieces one way; whether there was one.

    A look in vain at the other way costs about as much as a tenth of a piece.
    """
    count = 0
    while count < _PIECES and way():
        count += 1
    return count > 0


class Relay:
    """Two connections and what is under way between them.

    :param secure: OpenSSL allows one thread at a time, so one serves both directions
    :param source: what comes from the plain side
    :param sink: what goes there
    """

    def __init__(self, secure: Secure, source: Half, sink: Half) -> None:
        self._secure, self._source, self._sink = secure, source, sink
        self._secure_events = 0
        #: When to end although something is unsent; None while the plain side is there.
        self._until: float | None = None
        self._poll = select.poll()
        #: Of which its descriptors are the result.
        self._needs: tuple[int, int, int, float | None] | None = None

    def run(self) -> None:
        """Carry bytes; both connections are open still."""
        self._secure.plain.setblocking(False)
        try:
            while True:
                self._secure_events = self._source.events = self._sink.events = 0
                inwards, outwards = _some(self._inwards), _some(self._outwards)
                if not inwards and not outwards:
                    self._wait()
        except (EOFError, OSError):
            return

    def _wait(self) -> None:
        """Wait until something can move.

        :raises EOFError: nothing can any more
        """
        needs = self._secure_events, self._source.events, self._sink.events, self._until
        if needs != self._needs:
            self._poll, self._needs = self._registered(), needs
        remaining = None if self._until is None else self._until - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise EOFError
        for descriptor, events in self._poll.poll(None if remaining is None else remaining * 1000):
            if not events & (select.POLLHUP | select.POLLERR):
                continue
            if descriptor != self._secure.plain.fileno():
                self._until = self._until or time.monotonic() + REST
            elif not self._secure_events:
                raise EOFError

    def _registered(self) -> select.poll:
        """What polls all that something is needed of."""
        poll = select.poll()
        poll.register(self._secure.plain, self._secure_events)
        plain: dict[int, int] = collections.defaultdict(int)
        for half in (self._source, self._sink):
            plain[half.fileno()] |= half.events
        for descriptor, events in plain.items():
            # One that has closed is not looked at again before what it sent is carried.
            if events or self._until is None:
                poll.register(descriptor, events)
        return poll

    def _inwards(self) -> bool:
        """From TLS to the plain side; whether anything moved."""
        room = self._sink.piece()
        if not room:
            return False
        count = self._receive(room)
        self._sink.use(count)
        return count > 0

    def _receive(self, room: memoryview) -> int:
        """Receive as many records as there are and as have room.

        :raises EOFError: there are no more
        """
        while (count := self._secure.decrypt(room)) is None:
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
            piece = self._source.piece()
            if not piece:
                return False
            self._secure.encrypt(piece)
            self._source.use(len(piece))
        try:
            self._secure.flush()
        except BlockingIOError:
            self._secure_events |= select.POLLOUT
            return False
        return True
