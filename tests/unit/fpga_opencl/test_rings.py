# SPDX-License-Identifier: Apache-2.0
"""Rings between two processes: content comes as it went, and no number is believed."""

import contextlib
import errno
import os
import select
import socket
import struct
import threading
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_opencl.afar import relay, rings
from fpga_opencl.afar.relay import Relay
from fpga_opencl.agent import tunnel
from fpga_opencl.protocol import table
from tests.unit.fpga_opencl.test_secure import Pair, contexts, pair, soon

__all__ = ["contexts", "pair"]

_LARGE = 3 * rings.SIZE + 12345


@contextlib.contextmanager
def _ring(puts: bool) -> typing.Iterator[tuple[rings.Half, socket.socket]]:
    """One side of a ring, and the socket of the other one."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        yield rings.Half(memoryview(bytearray(rings.SIZE)), here, puts), there


def _put(half: rings.Half, content: bytes) -> int:
    """Put as much as there is room for, in pieces."""
    done = 0
    while done < len(content) and (piece := half.piece()):
        count = min(len(piece), len(content) - done)
        piece[:count] = content[done : done + count]
        half.use(count)
        done += count
    half.use(0)
    return done


def _take(half: rings.Half, size: int) -> bytes:
    """Take so much at most."""
    content = b""
    while size and (piece := half.piece()):
        count = min(len(piece), size)
        content += piece[:count]
        half.use(count)
        size -= count
    return content


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000)), max_size=30))
def test_content_comes_as_it_went(sizes: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rings, "SIZE", 4096)
        patch.setattr(rings, "_MUCH", 1024)
        patch.setattr(rings, "_LITTLE", 300)
        patch.setattr(rings, "_PIECE", 700)
        here, there = socket.socketpair()
        memory = memoryview(bytearray(rings.SIZE))
        with here, there:
            here.setblocking(False)
            there.setblocking(False)
            source, sink = rings.Half(memory, here, False), rings.Half(memory, there, True)
            unsent = taken = sent = b""
            for put, take in sizes:
                unsent += os.urandom(put)
                count = _put(sink, unsent)
                sent, unsent = sent + unsent[:count], unsent[count:]
                taken += _take(source, take)
                assert taken == sent[: len(taken)]
            assert taken + _take(source, rings.SIZE) == sent


@pytest.mark.parametrize("puts", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<I", 0),
        struct.pack("<I", rings.SIZE + 1),
        struct.pack("<II", rings.SIZE, 1),
        struct.pack("<I", 0xFFFFFFFF),
        b"\1\0\0",
    ],
)
def test_number_that_does_not_fit_ends_the_connection(puts: bool, content: bytes) -> None:
    with _ring(puts) as (half, other):
        if puts:
            assert _put(half, bytes(rings.SIZE + 1)) == rings.SIZE
        other.send(content)
        with pytest.raises(ConnectionError):
            half.piece()


def test_more_cannot_be_taken_than_was_put() -> None:
    with _ring(True) as (half, other):
        half.use(100)
        half.use(rings.SIZE - 100)
        other.send(struct.pack("<II", 100, rings.SIZE - 99))
        with pytest.raises(ConnectionError):
            half.piece()


def test_other_side_that_hears_nothing_is_not_waited_for() -> None:
    with _ring(True) as (half, other):
        half._bell.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(10_000):
            half.use(1)
        numbers: list[int] = []
        while sum(numbers) < 10_000:
            half.use(0)
            numbers += struct.unpack("<I", other.recv(4))
        assert sum(numbers) == 10_000
        assert len(numbers) < 10_000


def test_what_a_side_put_before_its_end_is_taken() -> None:
    with _ring(False) as (half, other):
        other.send(struct.pack("<I", rings.SIZE))
        other.close()
        assert len(_take(half, rings.SIZE)) == rings.SIZE
        with pytest.raises(ConnectionError):
            half.piece()


def test_memory_keeps_its_size() -> None:
    here, there = rings.pair()
    with here, there:
        _, descriptors, _, _ = socket.recv_fds(there, 1, 2)
        for size in (0, 4 * rings.SIZE):
            with pytest.raises(PermissionError):
                os.ftruncate(descriptors[1], size)
        for one in descriptors:
            os.close(one)


def test_other_side_of_a_connection_is_given_rings() -> None:
    here, there = socket.socketpair()
    with here, there:
        with rings.offered(here) as (source, sink):
            incoming, outgoing = rings.halves(there)
            for one, other in ((outgoing, source), (sink, incoming)):
                content = os.urandom(rings.SIZE)
                assert _put(one, content) == rings.SIZE
                assert _take(other, rings.SIZE) == content
        with pytest.raises(ConnectionError):
            incoming.piece()


def test_other_side_keeps_no_memory_that_counts_for_this_one() -> None:
    here, there = socket.socketpair()
    with here, there:
        with rings.offered(here) as (_, sink):
            _, descriptors, _, _ = socket.recv_fds(there, 1, 2)
            assert _put(sink, os.urandom(rings.SIZE)) == rings.SIZE
            assert os.fstat(descriptors[1]).st_blocks * 512 == rings.SIZE
        assert os.fstat(descriptors[1]).st_blocks == 0
        for one in descriptors:
            os.close(one)


def test_program_has_its_socket_where_no_rings_can_be_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: typing.Any) -> typing.NoReturn:
        raise OSError(errno.ETOOMANYREFS, os.strerror(errno.ETOOMANYREFS))

    here, there = socket.socketpair()
    hello = table.MESSAGES["hello"]
    first = table.REQUEST.pack(hello.number, table.ANSWER | table.RINGS, 1, hello.struct.size)
    with here, there, tunnel._ways(here, first + bytes(hello.struct.size)) as ways:
        assert [type(one) for one in ways] == [rings.Half, rings.Half]
    here, there = socket.socketpair()
    monkeypatch.setattr(socket, "send_fds", refuse)
    with here, there, tunnel._ways(here, first + bytes(hello.struct.size)) as ways:
        assert [type(one) for one in ways] == [relay.Source, relay.Sink]
        ways[1].piece()[:2] = b"ok"
        ways[1].use(2)
        assert there.recv(9) == b"ok"


# With a relay

Way = tuple[rings.Connection, threading.Thread]


@pytest.fixture
def way(pair: Pair) -> typing.Iterator[Way]:
    """A worker's side of rings to a client, and the relay between."""
    here, there = rings.pair()

    def run() -> None:
        with here:
            Relay(pair[1], *rings.halves(here)).run()

    thread = threading.Thread(target=run)
    with there:
        worker = rings.Connection(there)
        thread.start()
        yield worker, thread
        pair[0].close()
        thread.join(60)
        assert not thread.is_alive()


def _receive(worker: rings.Connection, size: int) -> bytes:
    content = memoryview(bytearray(size))
    done = 0
    while done < size:
        done += worker.recv_into(content[done:])
    return bytes(content)


def test_relay_carries_both_ways(pair: Pair, way: Way) -> None:
    content = os.urandom(_LARGE)
    sender = threading.Thread(target=pair[0].sendall, args=(content,))
    sender.start()
    assert _receive(way[0], _LARGE) == content
    sender.join()
    sender = threading.Thread(target=way[0].sendall, args=(content,))
    sender.start()
    assert pair[0].receive(_LARGE, soon()) == content
    sender.join()


def test_both_ways_may_be_full_at_once(pair: Pair, way: Way) -> None:
    """As a program does, the client receives where it cannot send; the worker sends first."""
    client, (worker, _) = pair[0], way
    content, received = os.urandom(_LARGE), b""
    answer: list[bytes] = []

    def work() -> None:
        worker.sendall(content)
        answer.append(_receive(worker, _LARGE))

    thread = threading.Thread(target=work)
    thread.start()
    client.plain.setblocking(False)
    client.encrypt(memoryview(content))
    poll = select.poll()
    while client.unsent or len(received) < _LARGE:
        poll.register(client.plain, select.POLLIN | (select.POLLOUT if client.unsent else 0))
        ((_, events),) = poll.poll(60_000)
        if events & select.POLLOUT:
            client.flush()
        else:
            received += client.recv(1 << 19)  # all records that it has
    thread.join(60)
    assert received == content
    assert answer == [content]


def _end(worker: rings.Connection) -> None:
    for half in (worker._source, worker._sink):
        half._bell.close()


def test_client_gets_the_rest_of_a_worker_that_has_ended(pair: Pair, way: Way) -> None:
    way[0].sendall(b"r" * rings.SIZE)
    _end(way[0])
    assert pair[0].receive(rings.SIZE, soon()) == b"r" * rings.SIZE
    way[1].join(60)
    assert not way[1].is_alive()


def test_client_that_reads_nothing_is_not_waited_for(
    pair: Pair, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "REST", 0.1)
    way[0].sendall(b"r" * rings.SIZE)
    _end(way[0])
    way[1].join(60)
    assert not way[1].is_alive()


def test_worker_that_reports_what_it_never_put_loses_its_gate(pair: Pair, way: Way) -> None:
    way[0]._sink._bell.send(struct.pack("<I", rings.SIZE + 1))
    way[1].join(60)
    assert not way[1].is_alive()


def test_worker_sees_that_its_client_has_left(pair: Pair, way: Way) -> None:
    pair[0].sendall(b"last")
    pair[0].close()
    assert _receive(way[0], 4) == b"last"
    with pytest.raises(ConnectionError):
        _receive(way[0], 1)
    with pytest.raises(ConnectionError):
        way[0].sendall(bytes(2 * rings.SIZE))
