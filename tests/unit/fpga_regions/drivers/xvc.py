# SPDX-License-Identifier: Apache-2.0
"""A part behind a Xilinx Virtual Cable, so that the real openFPGALoader has something to program.

It has the JTAG state machine of IEEE 1149.1 and, of a 7-series part, what openFPGALoader uses: the
instructions IDCODE, JPROGRAM, CFG_IN, JSTART and BYPASS, and what the instruction register shows
(UG470, tables 6-3 and 6-4).
"""

import socket
import struct
import threading

_IDCODE, _JPROGRAM, _CFG_IN, _JSTART, _BYPASS = 0x09, 0x0B, 0x05, 0x0C, 0x3F
_WIDTH = 6  # bits of the instruction register
#: The next state of each for TMS 0 and 1.
_NEXT = {
    "reset": ("idle", "reset"),
    "idle": ("idle", "select dr"),
    "select dr": ("capture dr", "select ir"),
    "capture dr": ("shift dr", "exit1 dr"),
    "shift dr": ("shift dr", "exit1 dr"),
    "exit1 dr": ("pause dr", "update dr"),
    "pause dr": ("pause dr", "exit2 dr"),
    "exit2 dr": ("shift dr", "update dr"),
    "update dr": ("idle", "select dr"),
    "select ir": ("capture ir", "reset"),
    "capture ir": ("shift ir", "exit1 ir"),
    "shift ir": ("shift ir", "exit1 ir"),
    "exit1 ir": ("pause ir", "update ir"),
    "pause ir": ("pause ir", "exit2 ir"),
    "exit2 ir": ("shift ir", "update ir"),
    "update ir": ("idle", "select dr"),
}


class Part:
    """A part of Xilinx's 7 series with one tap.

    :ivar starts: whether it starts once a bitfile was sent to it
    :ivar done: whether its pin DONE is high: it is configured
    :ivar received: how many bits were sent to its configuration logic
    """

    def __init__(self, idcode: int = 0x0362D093) -> None:
        self.idcode = idcode
        self.starts = True
        self.done = False
        self.received = 0
        self._state = "reset"
        self._instruction = _IDCODE
        self._shifted: list[int] = []

    def clock(self, tms: int, tdi: int) -> int:
        """One period of TCK; gives TDO."""
        tdo = 0
        if self._state in ("shift dr", "shift ir"):
            if self._state == "shift dr" and self._instruction == _CFG_IN:
                self.received += 1
            else:
                tdo = self._shifted.pop(0)
                self._shifted.append(tdi)
        self._state = _NEXT[self._state][tms]
        getattr(self, f"_{self._state.replace(' ', '_')}", lambda: None)()
        return tdo

    def lose_power(self) -> None:
        """Forget the configuration."""
        self.done = False

    def _reset(self) -> None:
        self._instruction = _IDCODE

    def _capture_ir(self) -> None:
        register = 0b010001 | self.done << 5 | self.done << 2
        self._shifted = [register >> bit & 1 for bit in range(_WIDTH)]

    def _capture_dr(self) -> None:
        value, width = (self.idcode, 32) if self._instruction == _IDCODE else (0, 1)
        self._shifted = [value >> bit & 1 for bit in range(width)]

    def _update_ir(self) -> None:
        self._instruction = sum(bit << place for place, bit in enumerate(self._shifted))
        if self._instruction == _JPROGRAM:
            self.done, self.received = False, 0
        if self._instruction == _JSTART:
            self.done = self.starts and self.received > 0


class Cable:
    """Serves a part on loopback, one client after the other, as long as the block lasts.

    :ivar port: TCP port
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Cable":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                stream = _Stream(client)
                while self._answer(stream):
                    pass

    def _answer(self, stream: "_Stream") -> bool:
        command = stream.word()
        if command == b"getinfo":
            stream.send(b"xvcServer_v1.0:4096\n")
        elif command == b"settck":
            stream.send(stream.take(4))
        elif command == b"shift":
            (bits,) = struct.unpack("<I", stream.take(4))
            size = (bits + 7) // 8
            stream.send(self._shift(bits, stream.take(size), stream.take(size)))
        return command is not None

    def _shift(self, bits: int, tms: bytes, tdi: bytes) -> bytes:
        tdo = bytearray(len(tms))
        for bit in range(bits):
            byte, place = divmod(bit, 8)
            out = self.part.clock(tms[byte] >> place & 1, tdi[byte] >> place & 1)
            tdo[byte] |= out << place
        return bytes(tdo)


class _Stream:
    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def word(self) -> bytes | None:
        """What is sent up to a colon; None at the end."""
        word = b""
        while not word.endswith(b":"):
            byte = self._receive(1)
            if not byte:
                return None
            word += byte
        return word[:-1]

    def take(self, size: int) -> bytes:
        """So many bytes."""
        data = b""
        while len(data) < size and (more := self._receive(size - len(data))):
            data += more
        return data

    def _receive(self, size: int) -> bytes:
        # The client sends in two parts, the second once the first is acknowledged.
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return self._client.recv(size)

    def send(self, data: bytes) -> None:
        """All of it."""
        self._client.sendall(data)
