# SPDX-License-Identifier: Apache-2.0
"""Has a process of its own do each command that a client gives: a copy of this one, by fork.

So a command starts fast, because all that it needs is loaded. Everything else is as with a command
that a person starts: it has a ledger and locks of its own, ends with an exit status or by a signal,
and harms nobody else when it is killed. This process itself never opens the ledger and has no
threads: neither would survive a fork.

A command ends with its client: if that goes away, the command is undone as by SIGTERM. It ends in
the same way with this process.
"""

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import time
import typing

from fpga_regions.command import client, worker

_CALLER = 4  # descriptors: standard input, output and error, and the working directory


@dataclasses.dataclass
class Chore:
    """Work of the server's own, done in another process from time to time.

    :param interval: seconds from its end to its next beginning
    :ivar due: when it begins, by the monotonic clock; None while it runs
    """

    interval: float
    work: typing.Callable[[], int]
    due: float | None = 0.0


@dataclasses.dataclass
class _Job:
    """What a client or a chore wants, and the process that does it once there is one.

    :ivar process: a descriptor of the process
    """

    connection: socket.socket | None = None
    chore: Chore | None = None
    pid: int = 0
    process: int | None = None


class Server:
    """Takes commands until SIGTERM, then waits for those that run.

    :param listener: a listening socket, of packets
    :param work: does a command in its process; gives its exit status
    :param configuration: the only one that is served
    :param valid: asked before each command; once it says False none is begun, and `run` ends when
        the last one has
    """

    def __init__(
        self,
        listener: socket.socket,
        work: typing.Callable[[list[str]], int],
        configuration: str,
        valid: typing.Callable[[], bool] = lambda: True,
        chores: typing.Sequence[Chore] = (),
    ) -> None:
        self._listener = listener
        self._work = work
        self._configuration = configuration
        self._valid = valid
        self._chores = chores
        self._poll = select.poll()
        self._handlers: dict[int, typing.Callable[[], object]] = {}
        self._jobs: list[_Job] = []
        #: Whether a signal ended it.
        self.stopped = False

    def run(self) -> None:
        """Serve."""
        self._listener.setblocking(False)
        self._watch(self._listener.fileno(), self._accept)
        before = {n: signal.signal(n, self._stop) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            with _wakened() as waker:
                self._watch(waker.fileno(), lambda: waker.recv(64))
                while self._serves() or self._jobs:
                    self._turn()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _turn(self) -> None:
        wait = self._begin_chores()
        for descriptor, _ in self._poll.poll(wait):
            # What came before it in this turn may have closed it.
            if handle := self._handlers.get(descriptor):
                handle()
        if not self._serves():
            # These have asked for nothing yet, and can do it themselves.
            for job in [job for job in self._jobs if job.process is None]:
                self._end(job)

    def _serves(self) -> bool:
        return not self.stopped and self._valid()

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopped = True

    def _watch(self, descriptor: int, handle: typing.Callable[[], object]) -> None:
        self._handlers[descriptor] = handle
        self._poll.register(descriptor, select.POLLIN)

    def _forget(self, descriptor: int) -> None:
        if self._handlers.pop(descriptor, None):
            self._poll.unregister(descriptor)

    def _begin_chores(self) -> float | None:
        """Begin what is due; milliseconds until the next is."""
        now = time.monotonic()
        for chore in self._chores:
            if self._serves() and chore.due is not None and chore.due <= now:
                chore.due = None
                job = _Job(chore=chore)
                self._jobs.append(job)
                self._fork(job, chore.work)
        due = [chore.due for chore in self._chores if chore.due is not None]
        return max(0.0, 1000 * (min(due) - now)) + 1 if due and self._serves() else None

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away, or there are too many
            return
        if not self._serves() or client.user_of(connection) != os.geteuid():
            connection.close()
            return
        connection.setblocking(False)
        job = _Job(connection)
        self._jobs.append(job)
        self._watch(connection.fileno(), lambda: self._hear(job, connection))
        _send(connection, client.READY)

    def _hear(self, job: _Job, connection: socket.socket) -> None:
        if job.process is not None:
            self._pass_on(job.process, connection)
            return
        with contextlib.ExitStack() as descriptors:
            request = _receive(connection, descriptors)
            if request and request.configuration == self._configuration and self._serves():
                self._fork(job, lambda: self._command(connection, request))
            else:
                self._end(job)

    def _pass_on(self, process: int, connection: socket.socket) -> None:
        """Give a process the signal that its client got, or SIGTERM if the client is gone."""
        try:
            message = connection.recv(1)
        except OSError:
            message = b""
        if not message:
            self._forget(connection.fileno())
        number = message[0] if message else signal.SIGTERM
        if number in client.SIGNALS:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)

    def _fork(self, job: _Job, work: typing.Callable[[], int]) -> None:
        """Have a process of its own do a job; the job ends at once where there can be none."""
        parent = os.getpid()
        # The handlers of this process are none for the other one.
        signal.pthread_sigmask(signal.SIG_BLOCK, client.SIGNALS)
        try:
            job.pid = os.fork()
            if job.pid == 0:
                worker.finish(parent, lambda: self._leave(job.connection), work)
            job.process = process = os.pidfd_open(job.pid)
            self._watch(process, lambda: self._reap(job, process))
        except OSError:
            self._end(job)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, client.SIGNALS)

    def _leave(self, connection: socket.socket | None) -> None:
        """In the process of a job: close what is the server's.

        Its connection stays open: if the server dies, the client waits for this process.
        """
        for descriptor in self._handlers:
            if connection is None or descriptor != connection.fileno():
                os.close(descriptor)

    def _command(self, connection: socket.socket, request: "_Request") -> int:
        connection.setblocking(True)
        connection.send(client.BEGUN)
        worker.become(request.environment, request.ignored, request.descriptors)
        return self._work(request.arguments)

    def _reap(self, job: _Job, process: int) -> None:
        _, status = os.waitpid(job.pid, 0)
        self._forget(process)
        os.close(process)
        if job.connection is not None:
            _send(job.connection, str(os.waitstatus_to_exitcode(status)).encode())
        self._end(job)

    def _end(self, job: _Job) -> None:
        self._jobs.remove(job)
        if job.chore is not None:
            job.chore.due = time.monotonic() + job.chore.interval
        if job.connection is not None:
            self._forget(job.connection.fileno())
            job.connection.close()


@dataclasses.dataclass(frozen=True)
class _Request:
    """What a client asks for; fpga_regions.command.client makes it.

    :param descriptors: its standard input, output and error, and its working directory
    """

    configuration: str
    arguments: list[str]
    environment: dict[str, str]
    ignored: list[int]
    descriptors: list[int]


def _receive(connection: socket.socket, descriptors: contextlib.ExitStack) -> _Request | None:
    """The request of a client; None where it makes none.

    :param descriptors: closes those that came with it
    """
    try:
        message, found, _, _ = socket.recv_fds(
            connection, client.MAX_REQUEST, _CALLER, socket.MSG_CMSG_CLOEXEC
        )
        for descriptor in found:
            descriptors.callback(os.close, descriptor)
        if len(found) != _CALLER or min(found) < _CALLER - 1:
            return None
        return _Request(**json.loads(message), descriptors=found)
    except (OSError, ValueError, TypeError):
        return None


def _send(connection: socket.socket, message: bytes) -> None:
    # That a client is gone is seen when it is heard.
    with contextlib.suppress(OSError):
        connection.send(message)


@contextlib.contextmanager
def _wakened() -> typing.Iterator[socket.socket]:
    """A socket that a signal makes readable: `poll` goes on waiting otherwise."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)
