# SPDX-License-Identifier: Apache-2.0
"""Clients from afar: gates bring hashes of tokens, the registrar brings leases; both meet here.

A worker is started for a token that opens a lease, and ends with the lease. A lease has one worker
at a time, so that its memory is what the service counted. That of REST outlasts its connections.
"""

import contextlib
import dataclasses
import functools
import json
import socket
import time
import typing
import uuid

from fpga_opencl.afar import opening, rings
from fpga_opencl.afar.opening import Opening
from fpga_opencl.node import desks, worker
from fpga_opencl.node.helpers import Helper
from fpga_opencl.node.leases import Lease, Leases
from fpga_opencl.node.log import Log
from fpga_opencl.node.server import Server, Session

#: Seconds for which a client waits: for a lease that the service has just made, or for the end of
#: the worker before.
_PATIENCE = 3.0
#: Seconds from one question to the service that a client causes to the next.
_POKE = 0.2
#: Bytes of a message of the registrar.
_LARGEST = 1 << 18
_MIB = 1 << 20

Document = dict[str, typing.Any]


@dataclasses.dataclass(eq=False)
class _Client:
    """One that waits behind its gate."""

    control: socket.socket
    request: Opening
    arrived: float


class Afar:
    """All clients from afar.

    :param server: starts their workers
    :param doorman: sends ways to gates
    :param registrar: has the word of the service
    """

    def __init__(self, server: Server, doorman: Helper, registrar: Helper) -> None:
        self._server = server
        self._leases = Leases()
        self._boot = str(uuid.uuid4())
        self._clients: list[_Client] = []
        self._open: dict[Session, uuid.UUID] = {}
        self._desks = desks.Desks()
        self._heard = self._poked = 0.0
        self._log = Log()
        self._helpers = {"doorman": doorman, "registrar": registrar}
        self._ways: dict[str, socket.socket] = {}
        server.ticking = self._tick
        server.ended = self._forget
        self._start_helpers()

    def stop(self) -> None:
        """End the helpers."""
        for helper in self._helpers.values():
            helper.stop()

    def _start_helpers(self) -> None:
        calls = {"doorman": self._take_gate, "registrar": self._take_word}
        for name, helper in self._helpers.items():
            if name in self._ways:
                continue
            try:
                way = helper.start()
            except (OSError, KeyError) as e:
                self._log.say(f"the {name} cannot be started: {e}")
                continue
            if way is not None:
                self._ways[name] = way
                self._server.attend(way, calls[name])

    def _lose(self, name: str) -> None:
        """Note that a helper has ended; it is started again."""
        way = self._ways.pop(name)
        self._server.ignore(way)
        way.close()

    def _tick(self) -> None:
        now = time.monotonic()
        for session, lease_id in list(self._open.items()):
            if self._leases.find(lease_id) is None:
                self._server.end(session)
        for client in self._clients[:]:
            self._try(client, now)
        self._start_helpers()

    def _forget(self, session: Session) -> None:
        lease_id = self._open.pop(session, None)
        if lease_id is not None:
            self._desks.close(lease_id)

    # Clients

    def _take_gate(self) -> None:
        try:
            content, descriptors, _, _ = socket.recv_fds(self._ways["doorman"], 16, 1)
        except OSError:
            content, descriptors = b"", []
        if not content:
            self._lose("doorman")
        for descriptor in descriptors:
            control = socket.socket(fileno=descriptor)
            self._server.attend(control, functools.partial(self._take_opening, control))

    def _take_opening(self, control: socket.socket) -> None:
        content = b""
        try:
            content = control.recv(opening.SIZE + 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # it has the number of another descriptor that was readable
        except OSError:
            pass  # the gate is gone
        self._server.ignore(control)
        request = opening.unpack(content)
        if request is None:
            control.close()
            return
        client = _Client(control, request, time.monotonic())
        self._clients.append(client)
        self._try(client, client.arrived)

    def _try(self, client: _Client, now: float) -> None:
        """Start a client's worker, or refuse it, or have it wait."""
        lease = self._leases.opened(client.request.session, client.request.token)
        late = now - client.arrived > _PATIENCE
        if lease is not None:
            admit = self._admit_rest if client.request.rest else self._admit
            admit(client, lease, late)
        elif late or self._heard > client.arrived:
            self._answer(client, opening.NO_SESSION)
        else:
            self._poke(now)

    def _admit(self, client: _Client, lease: Lease, late: bool) -> None:
        """Give a client a worker, unless its session has one."""
        if lease.id in self._open.values():
            if late:
                self._answer(client, opening.NO_ROOM)
            return
        try:
            here, there = rings.pair()
        except OSError:  # no descriptors are free
            self._answer(client, opening.NO_ROOM)
            return
        with here:
            if self._start(lease, there, prepare=worker.prepare_rings):
                self._answer(client, opening.OPENED, here)
            else:
                self._answer(client, opening.NO_ROOM)

    def _admit_rest(self, client: _Client, lease: Lease, late: bool) -> None:
        """Let a client in at the desk of its session; the first one has that made."""
        if lease.id in self._desks:
            if not self._desks.is_full(lease.id):
                self._enter(client, lease)
            elif late:
                self._answer(client, opening.BUSY)
        elif lease.id in self._open.values():
            if late:
                self._answer(client, opening.NO_ROOM)
        elif self._desks.lost(lease.id):
            self._answer(client, opening.LOST)
        else:
            self._open_desk(client, lease)

    def _open_desk(self, client: _Client, lease: Lease) -> None:
        """Start a lease's worker with a desk, and let a client in."""
        try:
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError:  # no descriptors are free
            self._answer(client, opening.NO_ROOM)
            return
        if self._start(lease, there, prepare=desks.prepare):
            self._desks.add(lease.id, here)
            self._enter(client, lease)
        else:
            here.close()
            self._answer(client, opening.NO_ROOM)

    def _start(self, lease: Lease, there: socket.socket, **more: typing.Any) -> bool:
        """Start a lease's worker; whether there is one."""
        memory = min(lease.memory, self._server.settings.memory)
        session = self._server.open(there, device=lease.device, memory=memory, **more)
        if session is not None:
            self._open[session] = lease.id
        return session is not None

    def _enter(self, client: _Client, lease: Lease) -> None:
        """Connect a client to the desk of its session."""
        here = self._desks.enter(lease, client.control)
        if here is None:
            self._answer(client, opening.NO_ROOM)
        else:
            with here:
                self._answer(client, opening.OPENED, here)

    def _answer(self, client: _Client, code: int, *ways: socket.socket) -> None:
        self._clients.remove(client)
        descriptors = [way.fileno() for way in ways]
        with client.control, contextlib.suppress(OSError):
            socket.send_fds(client.control, [opening.pack_reply(code)], descriptors)

    # The service

    def _poke(self, now: float) -> None:
        """Have the registrar ask the service now, but not more often than it is to."""
        if now - self._poked > _POKE and "registrar" in self._ways:
            self._poked = now
            self._say({"poke": True})

    def _say(self, message: Document, *ways: socket.socket) -> None:
        descriptors = [way.fileno() for way in ways]
        content = json.dumps(message).encode()
        with contextlib.suppress(OSError):
            socket.send_fds(self._ways["registrar"], [content], descriptors, socket.MSG_DONTWAIT)

    def _take_word(self) -> None:
        content = b""
        with contextlib.suppress(OSError):
            content = self._ways["registrar"].recv(_LARGEST, socket.MSG_DONTWAIT)
        if not content:
            self._lose("registrar")
            return
        try:
            message = json.loads(content)
            {"ask": self._ask, "survey": self._survey, "lease": self._lease, "clear": self._clear}[
                message["do"]
            ](message)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as e:
            self._log.say(f"the registrar said what is not understood: {type(e).__name__}")

    def _ask(self, _message: Document) -> None:
        memory = self._server.settings.memory // _MIB
        present = [str(one) for one in self._open.values()]
        self._say(
            {
                "boot": self._boot,
                "present": present,
                "sessions": self._server.most,
                "memory": memory,
            }
        )

    def _survey(self, _message: Document) -> None:
        """Give the registrar a worker, which it asks for the devices as any client does."""
        try:
            here, there = socket.socketpair()
        except OSError as e:
            self._say({"error": str(e)})
            return
        with here:
            if self._server.open(there) is None:
                self._say({"error": "no worker is free"})
            else:
                self._say({"worker": True}, here)

    def _lease(self, message: Document) -> None:
        self._leases.replace(message["sessions"], float(message["sent"]), float(message["ttl"]))
        self._heard = float(message["sent"])
        self._desks.keep(self._leases.present)
        self._tick()

    def _clear(self, _message: Document) -> None:
        """Begin anew: the service does not know us any more."""
        self._leases.clear()
        self._boot = str(uuid.uuid4())
        for session in list(self._open):
            self._server.end(session)
