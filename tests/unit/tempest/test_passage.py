# SPDX-License-Identifier: Apache-2.0
"""A namespace reaches services of the machine for a while, and nothing else of it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import typing
from pathlib import Path

import pytest

from tests.tempest import passage

_CLIENT = r"""
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as client:
    client.sendall(b"question\n")
    print(client.makefile().read())
"""


@pytest.fixture
def service() -> typing.Iterator[int]:
    """A service that answers once, after a line; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                question = connection.makefile().readline().strip()
                connection.sendall(f"answer to {question}".encode())

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture
def namespace() -> typing.Iterator[str]:
    """A network namespace with a loopback alone."""
    if os.geteuid() != 0:
        pytest.skip("only root makes network namespaces")
    name = f"test-passage-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


async def ask(namespace: str, port: int) -> tuple[int, str]:
    """The exit status of a client in the namespace, and the answer that it got."""
    process = await asyncio.create_subprocess_exec(
        *("ip", "netns", "exec", namespace, sys.executable, "-c", _CLIENT, str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode().strip()


def test_client_in_the_namespace_gets_the_answer_of_the_service(
    namespace: str, service: int
) -> None:
    async def inside() -> tuple[int, str]:
        async with passage.opened(namespace, [service]):
            return await ask(namespace, service)

    assert asyncio.run(inside()) == (0, "answer to question")


def test_namespace_reaches_nothing_after_the_passage_is_closed(
    namespace: str, service: int
) -> None:
    async def after() -> tuple[int, str]:
        async with passage.opened(namespace, [service]):
            pass
        return await ask(namespace, service)

    assert asyncio.run(after()) == (1, "")


def test_program_itself_stays_in_its_namespace(namespace: str, service: int) -> None:
    async def inside() -> None:
        async with passage.opened(namespace, [service]):
            socket.create_connection(("127.0.0.1", service), 5).close()

    before = Path("/proc/thread-self/ns/net").readlink()
    asyncio.run(inside())
    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_services_beyond_the_loopback_need_no_passage() -> None:
    urls = ["http://127.0.0.1:24774/v2.1", "http://10.0.0.1:24773", "http://127.0.0.1:24770/v3"]
    assert passage.ports(urls) == [24770, 24774]
