# SPDX-License-Identifier: Apache-2.0
"""Starts a confined worker for each client that connects, and ends it when either leaves.

The process has one thread and reads nothing that clients send. Clients connect to a socket of this
host, or come through `fpga_opencl.node.afar`.
"""

import contextlib
import dataclasses
import functools
import os
import select
import signal
import socket
import typing
from pathlib import Path

from fpga_nova.confined import groups
from fpga_nova.deadline import Deadline
from fpga_opencl.node import kernel, sandbox, worker
from fpga_opencl.node.log import Log
from fpga_opencl.node.settings import Settings

Prepare = typing.Callable[[socket.socket, Settings], typing.Callable[[], None]]

_GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_MOMENT = 0.02  # seconds that are waited for processes that were killed; then others are served
_END = 5.0  # seconds for the same when the server ends
_TICK = 0.1  # seconds from one call of `Server.ticking` to the next


@dataclasses.dataclass(eq=False)
class Session:
    """A worker and its client.

    :ivar connection: the worker's end
    """

    connection: socket.socket
    pid: int
    process: int
    slot: int


def _do_nothing(_session: Session) -> None:
    """Of a server that nobody asks which sessions end."""


class Server:
    """The sessions of a listening socket.

    :param listener: where clients of this host connect; None if there is no such socket
    :param folder: an empty one, for workers' roots
    :param settings: of each worker; its users begin with the one that is named there
    :param most: sessions at once; more clients are turned away
    :param together: whether workers stay in the control groups of this process, whose limits then
        bind all of them together
    :ivar ticking: called several times a second, if it is there
    :ivar ended: called with each session that has ended
    """

    def __init__(
        self,
        listener: socket.socket | None,
        folder: Path,
        settings: Settings,
        most: int,
        together: bool = False,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._together = together
        self._log = Log()
        self.ticking: typing.Callable[[], None] | None = None
        self.ended: typing.Callable[[Session], None] = _do_nothing
        self._attended: dict[int, typing.Callable[[], None]] = {}
        self._free: list[int] = []
        self._poll = select.epoll()
        self._by_descriptor: dict[int, Session] = {}
        # All: a server that was killed may have left something of them.
        self._ending = list(range(most))
        self._free_slots()
        if listener is not None:
            self.attend(listener, functools.partial(self._accept, listener))

    def attend(self, other: socket.socket, call: typing.Callable[[], None]) -> None:
        """Have something done whenever another socket is readable."""
        self._attended[other.fileno()] = call
        self._poll.register(other.fileno(), select.EPOLLIN)

    def ignore(self, other: socket.socket) -> None:
        """Do nothing more when a socket is readable."""
        del self._attended[other.fileno()]
        self._poll.unregister(other.fileno())

    @property
    def sessions(self) -> list[Session]:
        """Those that there are."""
        return list({id(one): one for one in self._by_descriptor.values()}.values())

    @property
    def most(self) -> int:
        """Sessions at once."""
        return len(self._free) + len(self._ending) + len(self.sessions)

    @property
    def settings(self) -> Settings:
        """Those of each worker that has no others."""
        return self._settings

    def serve(self, until: int) -> None:
        """Serve until a descriptor is readable; then all sessions end."""
        self._poll.register(until, select.EPOLLIN)
        try:
            while True:
                events = self._poll.poll(self._patience())
                ready = {descriptor for descriptor, _ in events}
                if until in ready:
                    return
                for descriptor in ready:
                    if session := self._by_descriptor.get(descriptor):
                        self.end(session)
                # Later: a new session may have the descriptors of one that has just ended.
                for descriptor in ready:
                    if call := self._attended.get(descriptor):
                        call()
                self._free_slots()
                if self.ticking:
                    self.ticking()
        finally:
            for session in self.sessions:
                self.end(session)
            deadline = Deadline(_END)
            while self._ending and not deadline.passed:
                self._free_slots()
            self._poll.close()

    def _patience(self) -> float | None:
        """Seconds until something is due that no descriptor says; None if nothing is."""
        if self._ending:
            return _MOMENT
        return _TICK if self.ticking else None

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # it left before; or no descriptors are free, and it is tried again
        self.open(connection)

    def open(
        self,
        connection: socket.socket,
        prepare: Prepare = worker.prepare,
        **changes: typing.Any,
    ) -> Session | None:
        """Start a worker.

        :param connection: the worker's end; it is closed with the session
        :param prepare: what it does first, which gives what it runs once it is confined
        :param changes: of its settings
        :returns: None if there is no room for it, or it cannot be started
        """
        if not self._free:
            connection.close()
            return None
        slot = self._free.pop(0)
        try:
            return self._start(connection, slot, prepare, changes)
        except OSError as e:
            self._log.say(f"a worker cannot be started: {e}")
            connection.close()
            # Of one that had begun to start, something may be there still.
            self._ending.append(slot)
            return None

    def _start(
        self,
        connection: socket.socket,
        slot: int,
        prepare: Prepare,
        changes: dict[str, typing.Any],
    ) -> Session:
        uid = self._settings.uid + slot
        settings = dataclasses.replace(self._settings, **changes, uid=uid)
        entrances = [] if self._together else self._make_groups(settings)
        pid = os.fork()
        if pid == 0:
            self._become_worker(connection, prepare, settings, entrances)
        with contextlib.ExitStack() as undone:
            # Nobody would end a worker that is in no session.
            undone.callback(kernel.end_child, pid)
            session = Session(connection, pid, os.pidfd_open(pid), slot)
            undone.callback(os.close, session.process)
            self._poll.register(session.process, select.EPOLLIN)
            self._poll.register(connection.fileno(), _GONE)
            undone.pop_all()
        for descriptor in (session.process, connection.fileno()):
            self._by_descriptor[descriptor] = session
        return session

    def _become_worker(
        self,
        connection: socket.socket,
        prepare: Prepare,
        settings: Settings,
        entrances: list[str],
    ) -> typing.NoReturn:
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            descriptor = os.dup2(connection.fileno(), 3)
            os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))
            serve = prepare(socket.socket(fileno=descriptor), settings)
            sandbox.run(settings, entrances, str(self._folder), serve)
        finally:
            os._exit(1)

    def end(self, session: Session) -> None:
        """End a session's processes and free what was kept for it."""
        for descriptor in (session.process, session.connection.fileno()):
            self._poll.unregister(descriptor)
            del self._by_descriptor[descriptor]
        status = kernel.end_child(session.pid)
        if status > 0:
            self._log.say(f"worker {session.pid} ended with status {status}")
        os.close(session.process)
        session.connection.close()
        self._ending.append(session.slot)
        self.ended(session)

    def _free_slots(self) -> None:
        """Free the slots of whose processes nothing is there any more."""
        for slot in [*self._ending]:
            if self._together or self._has_ended(slot):
                self._ending.remove(slot)
                self._free.append(slot)

    def _has_ended(self, slot: int) -> bool:
        """Whether nothing is there of a slot's processes; not if that cannot be found out now."""
        with contextlib.suppress(OSError):
            return groups.end(self._group(slot), Deadline(_MOMENT))
        return False

    def _make_groups(self, settings: Settings) -> list[str]:
        limits = groups.Limits(settings.memory, settings.cpu_percent, settings.processes)
        return groups.make(f"opencl-{settings.uid}", limits)

    def _group(self, slot: int) -> str:
        return f"opencl-{self._settings.uid + slot}"
