# SPDX-License-Identifier: Apache-2.0
"""A connection with TLS whose records come from memory."""

import contextlib
import os
import pathlib
import socket
import ssl
import threading
import time
import typing

import pytest
from cryptography.hazmat.primitives import serialization

from fpga_opencl.afar import tls
from fpga_opencl.afar.secure import Secure
from tests.support import opencl_afar

_LONG = 60.0  # seconds

Pair = tuple[Secure, Secure]


def soon() -> float:
    """An end to waiting that tests do not come to."""
    return time.monotonic() + _LONG


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Those of a client and of a node that it trusts."""
    certificate, key = opencl_afar.certificate(tmp_path_factory.mktemp("files"))
    client = ssl.create_default_context(cafile=certificate)
    client.check_hostname = False
    return client, tls.server_context(str(certificate), str(key))


@pytest.fixture
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> typing.Iterator[Pair]:
    """A client and a node that have agreed on keys."""
    one, other = socket.socketpair()
    with Secure(one, contexts[0]) as client, Secure(other, contexts[1], True) as node:
        until = soon()
        thread = threading.Thread(target=node.handshake, args=(until,))
        thread.start()
        client.handshake(until)
        thread.join()
        for end in (client, node):
            end.settimeout(_LONG)
        yield client, node


def test_content_comes_as_it_went(pair: Pair) -> None:
    client, node = pair
    content = os.urandom(3_000_001)
    thread = threading.Thread(target=client.sendall, args=(content,))
    thread.start()
    assert node.receive(len(content), soon()) == content
    thread.join()


def test_content_waits_for_room(pair: Pair) -> None:
    client, node = pair
    content = os.urandom(1 << 20)
    client.plain.setblocking(False)
    client.encrypt(memoryview(content))
    with pytest.raises(BlockingIOError):
        while client.unsent:
            client.flush()
    received = b""
    while len(received) < len(content):
        received += node.recv(1 << 16)
        with contextlib.suppress(BlockingIOError):
            while client.unsent:
                client.flush()
    assert received == content


def test_end_is_after_all_content(pair: Pair) -> None:
    client, node = pair
    client.sendall(b"last")
    client.close()
    assert [node.recv(100), node.recv(100)] == [b"last", b""]


def test_other_side_that_is_too_slow_is_not_waited_for(pair: Pair) -> None:
    client, node = pair
    client.sendall(b"here")
    with pytest.raises(TimeoutError):
        node.receive(4, time.monotonic())


def test_other_side_that_closes_in_between_is_a_failure(pair: Pair) -> None:
    client, node = pair
    client.sendall(b"he")
    client.close()
    with pytest.raises(ConnectionError):
        node.receive(4, soon())


def test_record_that_comes_in_drops_is_not_waited_for_by_the_drop(pair: Pair) -> None:
    client, node = pair
    client.encrypt(memoryview(bytes(1 << 14)))
    dropping = threading.Event()

    def drop() -> None:
        record = client._sendable.read()
        for at in range(len(record) - 1):
            if dropping.is_set():
                break
            client.plain.send(record[at : at + 1])
            time.sleep(0.001)

    thread = threading.Thread(target=drop)
    thread.start()
    node.settimeout(0.05)
    with pytest.raises(TimeoutError):
        node.recv(1)
    dropping.set()
    thread.join()


def test_handshake_that_comes_in_drops_ends_in_time(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    one, other = socket.socketpair()
    with one, Secure(other, contexts[1], True) as node:
        one.sendall(b"\x16\x03\x01\x02\x00")  # the head of a record of 512 bytes
        node.take()
        with pytest.raises(TimeoutError):
            node.handshake(time.monotonic())


def test_key_with_a_password_is_a_failure_and_no_question(tmp_path: pathlib.Path) -> None:
    certificate, key = opencl_afar.certificate(tmp_path)
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(OSError, match="SSL"):
        tls.server_context(str(certificate), str(key))
