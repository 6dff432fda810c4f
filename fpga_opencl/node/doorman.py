# SPDX-License-Identifier: Apache-2.0
"""Accepts connections from afar, and starts a confined gate for each: the process with the key.

It reads nothing that clients send. The server does not have the key: its workers are copies of it.
"""

import argparse
import contextlib
import os
import select
import signal
import socket
import ssl
import sys
import tempfile
import typing
from pathlib import Path

from fpga_opencl.afar import tls
from fpga_opencl.node import gate, kernel, root, sandbox, signals
from fpga_opencl.node.log import Log
from fpga_opencl.node.settings import Settings

#: Of each gate.
_MEMORY, _PROCESSES, _CPU_SECONDS = 256 << 20, 8, 30 * 24 * 3600
#: A message that brings the server a way to a new gate.
NEW_GATE = b"gate"


class Doorman:
    """The gates of a listening socket.

    :param server: where the server gets ways to gates
    :param first_uid: user of the first gate; each has one of its own
    :param most: gates at once; more clients are turned away
    """

    def __init__(
        self,
        listener: socket.socket,
        server: socket.socket,
        files: tuple[str, str],
        folder: Path,
        first_uid: int,
        most: int,
    ) -> None:
        self._listener, self._server = listener, server
        self._files = files
        self._folder = folder
        self._first_uid = first_uid
        self._free = list(range(most))
        self._gates: dict[int, tuple[int, int]] = {}
        self._log = Log()
        self._read: tuple[float, ...] = ()
        self._context = self._load()

    def serve(self, until: int) -> None:
        """Serve until a descriptor is readable, or the server is gone."""
        poll = select.poll()
        for descriptor in (self._listener.fileno(), self._server.fileno(), until):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor in self._gates:
                    poll.unregister(descriptor)
                    self._forget(descriptor)
                elif descriptor != self._listener.fileno():
                    return
                else:
                    process = self._accept()
                    if process is not None:
                        poll.register(process, select.POLLIN)

    def _accept(self) -> int | None:
        """Start a gate; gives the descriptor of its process."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return None  # it left before; or no descriptors are free, and it is tried again
        with connection:
            if not self._free:
                return None
            slot = self._free.pop(0)
            try:
                process, pid = self._start(connection, slot)
            except OSError as e:
                self._log.say(f"a gate cannot be started: {e}")
                self._free.append(slot)
                return None
        self._gates[process] = pid, slot
        return process

    def _start(self, connection: socket.socket, slot: int) -> tuple[int, int]:
        """A gate's process, as a descriptor and a number."""
        self._renew()
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with here, there:
            pid = os.fork()
            if pid == 0:
                self._become_gate(connection, there, slot)
            with contextlib.ExitStack() as undone:
                # Nobody would know of it, and another one would get its user.
                undone.callback(kernel.end_child, pid)
                process = os.pidfd_open(pid)
                undone.callback(os.close, process)
                # What it says first waits in the socket's buffer.
                socket.send_fds(self._server, [NEW_GATE], [here.fileno()])
                undone.pop_all()
        return process, pid

    def _become_gate(
        self, connection: socket.socket, control: socket.socket, slot: int
    ) -> typing.NoReturn:
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            kernel.die_with_parent(signal.SIGKILL)
            first = os.dup(connection.fileno()), os.dup(control.fileno())
            os.dup2(first[0], 3)
            os.dup2(first[1], 4)
            os.closerange(5, os.sysconf("SC_OPEN_MAX"))
            client, server = socket.socket(fileno=3), socket.socket(fileno=4)
            settings = Settings(
                uid=self._first_uid + slot,
                memory=_MEMORY,
                address_space=_MEMORY,
                processes=_PROCESSES,
                cpu_seconds=_CPU_SECONDS,
                file_size=1 << 20,
                files=(),
            )
            context, folder = self._context, str(self._folder)
            sandbox.run(settings, (), folder, lambda: gate.serve(client, server, context))
        finally:
            os._exit(1)

    def _forget(self, process: int) -> None:
        pid, slot = self._gates.pop(process)
        os.waitpid(pid, 0)
        os.close(process)
        self._free.append(slot)

    def _load(self) -> ssl.SSLContext:
        self._read = self._times()
        return tls.server_context(*self._files)

    def _renew(self) -> None:
        """Read the files again if they are others: the role renews certificates."""
        with contextlib.suppress(OSError):
            # While one is new and the other is not, the old ones serve.
            if self._times() != self._read:
                self._context = self._load()

    def _times(self) -> tuple[float, ...]:
        return tuple(Path(file).stat().st_mtime for file in self._files)


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; the node server starts this.

    :returns: the exit status
    """
    parser = argparse.ArgumentParser(prog="fpga-opencl-doorman")
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--first-uid", type=int, required=True)
    parser.add_argument("--gates", type=int, required=True)
    own = parser.parse_args(arguments)
    end = signals.termination()
    kernel.die_with_parent(signal.SIGTERM)
    try:
        with tempfile.TemporaryDirectory(dir=root.FOLDERS) as folder:
            doorman = Doorman(
                socket.socket(fileno=own.listener),
                socket.socket(fileno=own.server),
                (own.certificate, own.key),
                Path(folder),
                own.first_uid,
                own.gates,
            )
            doorman.serve(end)
    except OSError as e:
        print(f"Error: no client from afar is served - {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
