# SPDX-License-Identifier: Apache-2.0
"""The process behind a region that runs a bitstream: clients on one side, the chip on the other.

One connection is one job, and a chip does one at a time: it is reset, gets what the client sends,
hears of the end when the client shuts down its sending side, and its output goes to the client
until the core says that it is done. Clients that come meanwhile wait.
"""

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import signal
import socket
import sys
import typing

from fpga_regions.emulator.process import BrokenError, Settings, run
from fpga_regions.emulator.simulation import TURN, Ended, Simulation, Status
from fpga_regions.served.answers import tell
from fpga_regions.served.connections import CLOSED, close_waiting

_PAUSE = 0.002  # seconds in which more input may come before the clock goes on without
_IDLE_TURNS = 8  # without input and output, after which the clock stands still


@dataclasses.dataclass
class Job:
    """What a client and the chip are doing.

    :param progress: when one of them last took or gave something
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    progress: float
    ended: bool = False
    idle: int = 0


class Chip:
    """A simulated chip with its clients.

    :param listeners: the sockets that they reach
    """

    def __init__(
        self, settings: Settings, simulation: Simulation, listeners: typing.Sequence[socket.socket]
    ) -> None:
        self._settings = settings
        self._simulation = simulation
        self._listeners = listeners
        self._free = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        for listener in listeners:
            listener.setblocking(False)

    def serve(self) -> None:
        """Take clients, of all sockets as many at once as may wait."""
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.add_reader(listener, self._accept, listener)

    async def disconnect(self) -> None:
        """Close the connections that there are, those that nobody has accepted yet, too."""
        jobs = set(self._jobs)
        for job in jobs:
            job.cancel()
        close_waiting(self._listeners)
        if jobs:
            await asyncio.wait(jobs)

    def _accept(self, listener: socket.socket) -> None:
        if len(self._jobs) >= self._settings.max_clients:
            return  # this turn of the loop had room for another one only
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        job = asyncio.create_task(self._client(connection))
        self._jobs.add(job)
        job.add_done_callback(lambda _: connection.close())
        job.add_done_callback(self._leave)
        if len(self._jobs) >= self._settings.max_clients:
            for one in self._listeners:
                asyncio.get_running_loop().remove_reader(one)

    def _leave(self, job: "asyncio.Task[None]") -> None:
        self._jobs.discard(job)
        self.serve()

    async def _client(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=TURN)
        try:
            async with self._free:
                await self._job(reader, writer)
            await self._part(reader, writer)
        except Ended:
            # As with a chip that lost its configuration: nothing but a new burn helps.
            os._exit(1)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _job(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        job = Job(reader, writer, loop.time())
        turn = await self._simulation.turn(b"R")
        reading = asyncio.ensure_future(reader.read(TURN))
        try:
            while turn.status != Status.DONE:
                data = None
                if turn.status == Status.NEEDS_INPUT and not job.ended:
                    data = await self._next(job, reading)
                if data is None:
                    waits = turn.status == Status.NEEDS_INPUT and not job.ended
                    turn = await self._simulation.turn(b"W" if waits else b"I")
                elif data:
                    reading = asyncio.ensure_future(reader.read(TURN))
                    turn = await self._simulation.give(data)
                else:
                    job.ended = True
                    turn = await self._simulation.turn(b"E")
                job.idle = 0 if data or turn.output else job.idle + 1
                if not job.idle:
                    job.progress = loop.time()
                await self._pass_on(job, turn.output)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await reading

    async def _next(self, job: Job, reading: "asyncio.Future[bytes]") -> bytes | None:
        """What the client has sent, nothing at its end; None while it does not send."""
        still = job.idle >= _IDLE_TURNS
        await asyncio.wait({reading}, timeout=self._settings.client_timeout if still else _PAUSE)
        if reading.done():
            return reading.result()
        if still:
            raise TimeoutError
        return None

    async def _pass_on(self, job: Job, output: bytes) -> None:
        limit = self._settings.client_timeout
        if job.idle and asyncio.get_running_loop().time() - job.progress > limit:
            raise TimeoutError
        job.writer.write(output)
        # A client that sends all before it reads is served, as far as there is room.
        if job.writer.transport.get_write_buffer_size() > self._settings.max_input:
            await asyncio.wait_for(job.writer.drain(), limit)

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the client read to the end, and take what it still sends."""
        limit = self._settings.client_timeout
        writer.transport.set_write_buffer_limits(0)
        await asyncio.wait_for(writer.drain(), limit)
        writer.write_eof()
        while await asyncio.wait_for(reader.read(TURN), limit):
            pass


async def _attend(
    descriptor: int, answer: typing.Callable[[socket.socket], typing.Awaitable[None]]
) -> None:
    """Answer the driver on one of its own sockets, whenever it connects."""
    loop = asyncio.get_running_loop()
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    while True:
        connection, _ = await loop.sock_accept(listener)
        with connection, contextlib.suppress(OSError):
            await answer(connection)


async def _serve(settings: Settings, simulation: Simulation, answer: bytes) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _end, simulation)
    sockets = [socket.socket(fileno=number) for number in settings.sockets]
    chip = Chip(settings, simulation, sockets)
    chip.serve()

    async def control(connection: socket.socket) -> None:
        """Tell what is programmed, as long as it runs."""
        if simulation.ended:
            os._exit(1)
        tell(connection, answer, settings.sockets)

    async def disconnect(connection: socket.socket) -> None:
        await chip.disconnect()
        connection.send(CLOSED)

    await asyncio.gather(
        _attend(settings.control, control), _attend(settings.disconnect, disconnect)
    )


def _end(simulation: Simulation) -> typing.NoReturn:
    # However this process ends, the model ends, too; so it is also waited for.
    simulation.kill()
    os._exit(0)


def prepare(settings: Settings, parameters: dict[str, typing.Any]) -> typing.Callable[[], None]:
    """What serves the model that the driver names, once it runs."""
    loop = asyncio.new_event_loop()
    limits = (settings.client_timeout, settings.cpu_percent)
    simulation = Simulation(loop, parameters["command"], parameters["file"], *limits)
    try:
        loop.run_until_complete(simulation.start())
    except Ended as e:
        raise BrokenError("the model does not run") from e
    names = ("function", "digest", "engine")
    answer = json.dumps({name: parameters[name] for name in names}).encode()
    return functools.partial(loop.run_until_complete, _serve(settings, simulation, answer))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], prepare, alone=True))
