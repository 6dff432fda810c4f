# SPDX-License-Identifier: Apache-2.0
"""Lets a network namespace reach services of the machine, which itself stays out of the namespace.

Floating addresses are reached from the namespace of the demo's client alone, and the APIs listen on
the machine's loopback. Here the namespace's loopback has the same ports, so that no interface of
the machine is on a network of servers.
"""

import asyncio
import collections.abc
import contextlib
import socket
import urllib.parse

from pyroute2 import netns

LOOPBACK = "127.0.0.1"


def ports(urls: collections.abc.Iterable[str]) -> list[int]:
    """The ports of services on the loopback; other services are reached without help."""
    parsed = (urllib.parse.urlsplit(url) for url in urls)
    return sorted({one.port for one in parsed if one.hostname == LOOPBACK and one.port})


@contextlib.asynccontextmanager
async def opened(
    namespace: str, forwarded: collections.abc.Iterable[int]
) -> collections.abc.AsyncIterator[None]:
    """Forward ports of the namespace's loopback to those of the machine, for the context's time.

    :raises OSError: the namespace is not there, or a port is in use in it
    """
    tasks: set[asyncio.Task[None] | None] = set()
    async with contextlib.AsyncExitStack() as stack:
        for port in forwarded:
            listener = _listener(namespace, port)
            server = await asyncio.start_server(_forwarder(port, tasks), sock=listener)
            await stack.enter_async_context(server)
        yield


def _listener(namespace: str, port: int) -> socket.socket:
    """A socket stays in the namespace in which it was made."""
    netns.pushns(namespace)
    try:
        return socket.create_server((LOOPBACK, port))
    finally:
        netns.popns()


def _forwarder(
    port: int, tasks: set[asyncio.Task[None] | None]
) -> collections.abc.Callable[
    [asyncio.StreamReader, asyncio.StreamWriter], collections.abc.Awaitable[None]
]:
    """What serves a connection until one of its ends closes it.

    :param tasks: holds those that run; asyncio's streams hold theirs weakly, and they would go
    """

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            with contextlib.suppress(OSError), contextlib.closing(writer):
                there, back = await asyncio.open_connection(LOOPBACK, port)
                with contextlib.closing(back):
                    await _first(_copy(reader, back), _copy(there, writer))
        finally:
            tasks.discard(task)

    return forward


async def _first(*copies: collections.abc.Coroutine[object, object, None]) -> None:
    """Copy in both directions until one has ended."""
    tasks = [asyncio.create_task(copy) for copy in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
