# SPDX-License-Identifier: Apache-2.0
"""Frames of any content, both ways: errors of OpenCL, and never another end.

`OPENCL_FRAMES` says how many; 200,000 take minutes.
"""

import contextlib
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import termios
import threading
import typing
from pathlib import Path

import pytest

from fpga_opencl.afar import rings
from fpga_opencl.protocol import table
from fpga_opencl.protocol.streams import Connection, Stream
from tests.support import opencl
from tests.support.host import wait_until
from tests.unit.fpga_opencl.conftest import SOURCE
from tests.unit.fpga_opencl.test_icd import checks  # noqa: F401 - a fixture

FRAMES = int(os.environ.get("OPENCL_FRAMES", "800"))
_NUMBERS = (0, 1, 2, 3, 7, 8, 16, 64, 4096, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_DOMAIN = {
    "dimensions": (1, 2, 3),
    "size": (1, 4, 16, 64, 4096, 2**40),
    "waits": (0, 0, 0, 1, 2),
}
#: A kernel is native code: what it does beyond its buffers is its own fault, and its end.
_SMALL = {"offset", "global", "local"}
_MESSAGES = [one for one in table.MESSAGES.values() if one.name != "hello"]


class Client:
    """A client that sends what it likes, and counts its sessions."""

    def __init__(self, path: str, seed: int) -> None:
        self._path = path
        self._random = random.Random(seed)
        self._sequence = 0
        self.sessions = 0
        self.statuses: set[int] = set()
        self._connect()

    def _connect(self) -> None:
        self.sessions += 1
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._path)
        self._socket.settimeout(60)
        self._stream = Stream(self._socket)
        self.send("hello", [table.MAGIC, table.VERSION])
        self.send("create_context", [1, 1, 0], struct.pack("<Q", 1))
        self.send("create_queue", [1, 1, 1, 0])
        for number in (1, 2, 3):
            self.send("create_buffer", [number, 1, 1, 4096])
        self.send("create_program_with_source", [1, 1], SOURCE.encode())
        self.send("build_program", [1, 0, 0])
        for number, name in ((1, b"scale"), (2, b"total")):
            self.send("create_kernel", [number, 1], name)

    def close(self) -> None:
        """Leave, though an exception still knows this client: other tests wait for it to go."""
        self._socket.close()

    def send(self, name: str, values: list[int], tail: bytes = b"", number: int = -1) -> None:
        """Send a message and take its reply.

        :raises EOFError, ConnectionError: the session ended
        """
        message = table.MESSAGES[name]
        self._sequence += 1
        body = message.struct.pack(*values) + tail
        head = (message.number if number < 0 else number, table.ANSWER, self._sequence, len(body))
        self._socket.sendall(table.REQUEST.pack(*head) + body)
        while True:
            sequence, status, length = table.REPLY.unpack(self._stream.take(table.REPLY.size))
            self._stream.take(length)
            if sequence == self._sequence:
                self.statuses.add(status)
                return
            assert sequence == 0

    def anything(self) -> None:
        """Send one frame: most of its numbers make sense, some do not."""
        message = self._random.choice(_MESSAGES)
        small = message.name == "enqueue_kernel"
        values = [self._value(field, small) for field in message.fields for _ in range(field.count)]
        size = self._random.choice((0, 0, 1, 4, 8, 16, 24, 64, 4096))
        tail = self._random.randbytes(size)
        if self._random.random() < 0.5:
            tail = struct.pack("<Q", self._random.randrange(4)) * (size // 8)
        names = [field.name for field in message.fields for _ in range(field.count)]
        if message.name == "enqueue_write" and "size" in names:
            values[names.index("size")] = len(tail)
        number = self._random.randrange(1 << 16) if self._random.random() < 0.02 else -1
        try:
            self.send(message.name, values, tail, number)
            if message.name == "create_user_event":
                # Whoever waits for it would wait for ever.
                self.send("set_user_event", [values[0], 0, 0])
        except (EOFError, ConnectionError):
            self._connect()

    def _value(self, field: table.Field, small: bool) -> int:
        if small and field.name in _SMALL:
            return self._random.randrange(5)
        bits = {"u16": 16, "u32": 32, "i32": 31, "u64": 64}[field.type]
        if field.name in _DOMAIN and self._random.random() < 0.9:
            number = self._random.choice(_DOMAIN[field.name])
        elif self._random.random() < 0.8:
            number = self._random.choice((0, 1, 2, 3, 4))
        else:
            number = self._random.choice(_NUMBERS)
        return number % (1 << bits)


def test_worker_answers_any_frame_with_an_error_of_opencl(node: opencl.Node) -> None:
    with contextlib.closing(Client(node.socket, seed=18)) as client:
        for _ in range(FRAMES):
            client.anything()
    assert all(-72 <= status <= 0 or status == -1001 for status in client.statuses)
    assert len(client.statuses) > 10
    # An implementation has its own faults: they end the one session, and seldom.
    assert client.sessions <= 2 + FRAMES // 200
    assert node.process.poll() is None


class Ringed(rings.Connection):
    """Rings of a program, for a side that waits."""

    def __init__(
        self, source: rings.Half, sink: rings.Half, chance: random.Random, often: float
    ) -> None:
        self._source, self._sink = source, sink
        self._chance, self._often = chance, often

    @property
    def unread(self) -> int:
        """Bytes of numbers, as the kernel counts them, that the program has not received."""
        return int.from_bytes(fcntl.ioctl(self._sink._bell, termios.TIOCOUTQ, bytes(4)), "little")

    def sendall(self, content: bytes | memoryview) -> None:
        """Send all of it, and now and then a number that may not fit."""
        super().sendall(content)
        if self._chance.random() < self._often:
            half = self._chance.choice((self._source, self._sink))
            half._bell.send(struct.pack("<I", self._chance.choice(_NUMBERS) % 2**32))


def _garble(listener: socket.socket, seed: int, ringed: bool) -> None:
    """Serve clients with frames that are right, wrong or cut off."""
    chance = random.Random(seed)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(2)  # both wait where a length was too large
            if not ringed:
                _answer(connection, chance)
                continue
            with (
                contextlib.suppress(OSError),
                _ringed(connection, chance, often=0.02, seconds=2) as ends,
            ):
                _answer(ends, chance)


@contextlib.contextmanager
def _ringed(
    connection: socket.socket, chance: random.Random, often: float, seconds: float
) -> typing.Iterator[Ringed]:
    """Give a program rings, and answer its first request by them."""
    sequence = table.REQUEST.unpack_from(Stream(connection).take(24))[2]
    with rings.offered(connection) as (source, sink):
        for half in (source, sink):
            half._bell.settimeout(seconds)
        ends = Ringed(source, sink, chance, often)
        ends.sendall(table.REPLY.pack(sequence, 0, 16) + struct.pack("<QQ", 1, 2))
        yield ends


def _answer(connection: Connection, chance: random.Random) -> None:
    stream = Stream(connection)
    try:
        while True:
            number, flags, sequence, length = table.REQUEST.unpack(stream.take(16))
            stream.take(length)
            if not flags & table.ANSWER:
                continue
            content = _content(number, chance)
            head = [sequence, 0, len(content)]
            if chance.random() < 0.1:
                head[chance.randrange(3)] = chance.choice((0, 1, 5, 64, 2**20 + 1, 2**31 - 1))
            connection.sendall(table.REPLY.pack(*head) + content)
            if chance.random() < 0.02:
                return
    except (EOFError, OSError):
        return


def _content(number: int, chance: random.Random) -> bytes:
    message = table.BY_NUMBER.get(number)
    if message is None or not message.reply:
        return b""
    if message.name == "hello" and chance.random() < 0.9:
        return struct.pack("<QQ", 1, 2)
    return chance.randbytes(chance.choice((0, 1, 3, 8, 64, 4096, 65536)))


@pytest.mark.parametrize("ringed", [False, True])
@pytest.mark.parametrize("seed", range(max(1, FRAMES // 500)))
def test_program_survives_whatever_its_worker_replies(
    tmp_path: Path,
    checks: Path,  # noqa: F811
    seed: int,
    ringed: bool,
) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=_garble, args=(listener, seed, ringed), daemon=True)
        thread.start()
        for _ in range(10):
            finished: typing.Any = subprocess.run(
                [str(checks), "anything"],
                env=opencl.environment(checks.parent / "libfpga-opencl.so", path),
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert (finished.returncode, finished.stderr) == (0, b"")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(30)


def test_program_believes_no_reply_that_may_have_been_emptied(
    tmp_path: Path,
    checks: Path,  # noqa: F811
) -> None:
    """The agent ends, and empties the rings, when the program has half a reply."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(60)
        with subprocess.Popen(
            [str(checks), "loss"],
            env=opencl.environment(checks.parent / "libfpga-opencl.so", path),
            stdout=subprocess.DEVNULL,
        ) as program:
            connection, _ = listener.accept()
            with connection:
                try:
                    _end_within_a_reply(connection, program)
                finally:
                    program.send_signal(signal.SIGCONT)
            assert program.wait(60) == 0


def _end_within_a_reply(connection: socket.socket, program: "subprocess.Popen[bytes]") -> None:
    with _ringed(connection, random.Random(0), often=0, seconds=60) as ends:
        stream = Stream(ends)
        while True:
            number, flags, sequence, length = table.REQUEST.unpack(stream.take(16))
            fields = bytes(stream.take(length))
            if number == table.MESSAGES["enqueue_read"].number:
                break
            if flags & table.ANSWER:
                ends.sendall(table.REPLY.pack(sequence, 0, 0))
        size = table.MESSAGES["enqueue_read"].struct.unpack_from(fields)[-1]
        ends.sendall(table.REPLY.pack(sequence, 0, size))
        # It has taken the header, and waits for the content.
        wait_until(lambda: not ends.unread and _sleeps(program.pid))
        program.send_signal(signal.SIGSTOP)
        ends.sendall(struct.pack("<i", 0x07070707) * (size // 4))


def _sleeps(pid: int) -> bool:
    """Whether a program waits."""
    return opencl.status(pid)["State"].startswith("S")
