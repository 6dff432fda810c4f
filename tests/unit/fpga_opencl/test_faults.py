# SPDX-License-Identifier: Apache-2.0
"""A node server whose descriptors are used up, or that hears what is not meant for it."""

import errno
import functools
import json
import os
import socket
import sys
import typing
import uuid
from pathlib import Path

import pytest

from fpga_opencl.afar import opening
from fpga_opencl.node import afar, doorman, kernel, sandbox, server
from fpga_opencl.node.settings import Settings
from tests.unit.fpga_opencl.test_leases import HASH, SESSION

#: Of the processes that these tests start; nobody else's.
_UID = 2_190_000_000


class Loop:
    """A server that starts no workers.

    :ivar attended: what is to be called when a socket is readable
    """

    most, sessions = 1, ()
    settings = Settings(_UID)

    def __init__(self) -> None:
        self.attended: dict[socket.socket, typing.Callable[[], None]] = {}
        self.opened: list[dict[str, typing.Any]] = []

    def attend(self, other: socket.socket, call: typing.Callable[[], None]) -> None:
        """Note a socket."""
        self.attended[other] = call

    def ignore(self, other: socket.socket) -> None:
        """Forget a socket."""
        del self.attended[other]

    def open(self, connection: socket.socket, **changes: typing.Any) -> object:
        """Note what a worker would be."""
        connection.close()
        self.opened.append(changes)
        return object()


class Helper:
    """A program beside the server, which the test is."""

    def __init__(self) -> None:
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._is_started = False

    def start(self) -> socket.socket | None:
        """Give the way to it, once."""
        way = None if self._is_started else self.there
        self._is_started = True
        return way


class Node:
    """A server for clients from afar, its doorman and its registrar."""

    def __init__(self) -> None:
        self.loop, self.doorman, self.registrar = Loop(), Helper(), Helper()
        parts: list[typing.Any] = [self.loop, self.doorman, self.registrar]
        self.afar = afar.Afar(*parts)

    def say(self, message: typing.Any) -> None:
        """Have the registrar say something."""
        self.registrar.here.send(json.dumps(message).encode())
        self.loop.attended[self.registrar.there]()

    def lease(self, **values: typing.Any) -> None:
        """Have the service lease a session."""
        row = {"id": str(SESSION), "device": 0, "memory": 64, "seconds": 1e9}
        row |= {"token_hash": HASH.decode(), "token_seconds": 1e9}
        self.say({"do": "lease", "sent": 1.0, "ttl": 1e9, "sessions": [row | values]})

    def gate(self) -> socket.socket:
        """A new gate's way to the server."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            socket.send_fds(self.doorman.here, [doorman.NEW_GATE], [there.fileno()])
        self.loop.attended[self.doorman.there]()
        here.settimeout(10)
        return here

    def look(self) -> None:
        """Look at the gate that came last."""
        list(self.loop.attended.values())[-1]()


@pytest.fixture
def node() -> Node:
    return Node()


def _first(session: uuid.UUID = SESSION, rest: bool = False) -> bytes:
    return opening.Opening(session, HASH, rest).pack()


def _code(gate: socket.socket) -> int:
    return opening.unpack_reply(gate.recv(opening.REPLY_SIZE))


def test_gate_is_not_lost_with_the_descriptor_of_a_session_that_has_ended(node: Node) -> None:
    node.lease()
    gate = node.gate()
    node.look()  # as if it were readable: what had its number was
    gate.send(_first())
    node.look()
    assert _code(gate) == opening.OPENED


@pytest.mark.parametrize(
    "values",
    [
        {"id": 7},
        {"memory": float("inf")},
        {"memory": -1},
        {"device": -1},
        {"seconds": float("nan")},
        {"token_seconds": float("inf")},
        {"token_hash": "é" * 64},
        {"token_hash": "zz" * 32},
    ],
    ids=str,
)
def test_lease_that_is_none_ends_neither_the_server_nor_the_leases(
    node: Node, values: dict[str, typing.Any]
) -> None:
    node.lease()
    node.lease(**values)
    gate = node.gate()
    gate.send(_first())
    node.look()
    assert _code(gate) == opening.OPENED


@pytest.mark.parametrize("rest", [False, True])
def test_client_is_refused_when_no_descriptor_is_free(
    node: Node, monkeypatch: pytest.MonkeyPatch, rest: bool
) -> None:
    node.lease()
    gate = node.gate()
    gate.send(_first(rest=rest))
    monkeypatch.setattr(socket, "socketpair", _fail)
    node.look()
    assert _code(gate) == opening.NO_ROOM


def _fail(*_: typing.Any) -> typing.NoReturn:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_worker_ends_that_is_in_no_session(
    root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = server.Server(None, tmp_path, Settings(_UID), 1)
    here, there = socket.socketpair()
    monkeypatch.setattr(os, "pidfd_open", _fail)
    with here:
        here.settimeout(60)
        assert one.open(there) is None
        assert here.recv(1) == b""
    assert one.sessions == []


def test_server_goes_on_when_it_cannot_look_for_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.groups, "end", _fail)
    one = server.Server(None, tmp_path, Settings(_UID), 1)
    assert one.most == 1
    here, there = socket.socketpair()
    with here:
        assert one.open(there) is None  # no user is known to be free
    monkeypatch.setattr(server.groups, "end", lambda *_: True)
    one._free_slots()
    assert len(one._free) == 1


def test_gate_ends_that_the_server_cannot_be_given(
    root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    monkeypatch.setattr(doorman.Doorman, "_load", lambda _: None)
    monkeypatch.setattr(doorman.Doorman, "_renew", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listener, here, there:
        one = doorman.Doorman(listener, there, ("", ""), tmp_path, _UID, 1)
        monkeypatch.setattr(os, "pidfd_open", _fail)
        with socket.create_connection(listener.getsockname()) as client:
            client.settimeout(60)
            assert one._accept() is None
            assert client.recv(1) == b""
    assert one._free == [0]


@pytest.mark.parametrize("option", [1, 1 << 32 | 1])
def test_worker_cannot_outlive_its_server(root: None, tmp_path: Path, option: int) -> None:
    """Whoever has no control groups ends workers by that alone."""

    def serve() -> None:
        call = functools.partial(kernel._LIBC.syscall, 157 if _is_x86() else 167)
        refused = call(*map(kernel.ctypes.c_ulong, (option, 0, 0, 0, 0))) == -1
        os._exit(0 if refused and kernel.ctypes.get_errno() == errno.EPERM else 3)

    pid = os.fork()
    if pid == 0:
        sandbox.run(Settings(_UID), (), str(tmp_path), serve)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _is_x86() -> bool:
    return os.uname().machine == "x86_64" and sys.maxsize > 1 << 32
