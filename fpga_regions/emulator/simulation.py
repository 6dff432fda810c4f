# SPDX-License-Identifier: Apache-2.0
"""Talks to a running model: shell/bench.v and shell/bench.cpp are the other side.

A command is one byte: `R` (reset), `D` (input: two bytes of length, the most significant first, and
as many bytes), `E` (the input has ended), `I` (go on) or `W` (go on, but not for long: input may
come). The model runs for one turn, at most TURN cycles. Its answer is a byte of status, three of
length, the least significant first, and the output, filled up to words of four bytes.
"""

import asyncio
import dataclasses
import enum
import subprocess
import typing

TURN = 8192  # cycles of a turn at most, and bytes of input for one


class Status(enum.IntEnum):
    """How a turn ended."""

    NEEDS_INPUT = ord("N")
    BUSY = ord("B")
    DONE = ord("X")


@dataclasses.dataclass(frozen=True)
class Turn:
    """What a turn gave."""

    status: Status
    output: bytes


class Ended(Exception):
    """The model ended, or does not answer any more: what it simulated is lost."""


class Simulation:
    """One model, as a process that ends with this one.

    :param loop: in which it is talked to
    :param command: what runs the model
    :param file: descriptor of the model's file, which the command names
    :param patience: seconds that a turn may take
    :param cpu_percent: share of one processor that it may have; pauses make up for the rest
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        command: list[str],
        file: int,
        patience: float,
        cpu_percent: int = 100,
    ) -> None:
        self._patience = patience
        self._pause = 100 / cpu_percent - 1
        ends_with_us = ["setpriv", "--pdeathsig=KILL"]
        self._process = subprocess.Popen(  # noqa: S603 - the driver's words
            [*ends_with_us, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[file],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            bufsize=0,
        )
        self._answers = asyncio.StreamReader(loop=loop)
        self._turn: asyncio.Future[Turn] | None = None

    async def start(self) -> None:
        """Begin; the model has answered its first reset then.

        :raises Ended: it does not run
        """
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._answers), self._process.stdout
        )
        await self.turn(b"R")

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    async def turn(self, command: bytes) -> Turn:
        """Give it a command and wait for the end of the turn.

        A turn goes on that nobody waits for any more; the next one waits for its end.

        :raises Ended: it does not answer
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            if self._turn is not None:
                await asyncio.wait_for(asyncio.shield(self._turn), self._patience)
            # There is always room in the pipe: the model has read all before it answered.
            typing.cast(typing.BinaryIO, self._process.stdin).write(command)
            self._turn = asyncio.ensure_future(self._answer())
            turn = await asyncio.wait_for(asyncio.shield(self._turn), self._patience)
        except (OSError, EOFError, ValueError) as e:
            raise Ended from e
        if self._pause:
            await asyncio.sleep((loop.time() - start) * self._pause)
        return turn

    async def give(self, data: bytes) -> Turn:
        """Hand it input, TURN bytes at most."""
        return await self.turn(b"D" + len(data).to_bytes(2, "big") + data)

    async def _answer(self) -> Turn:
        head = await self._answers.readexactly(4)
        size = int.from_bytes(head[1:], "little")
        output = await self._answers.readexactly((size + 3) // 4 * 4)
        return Turn(Status(head[0]), output[:size])
