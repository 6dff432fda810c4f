# SPDX-License-Identifier: Apache-2.0
"""A way over TCP on loopback that becomes slow: netem delays it, or a proxy where there is none.

netem delays all of loopback, so it belongs into a network namespace of its own (`NAMESPACE`).
"""

import contextlib
import queue
import socket
import subprocess
import threading
import time
import typing

#: Words before those of a program that is to have a network of its own, with Ethernet's packets.
NAMESPACE = ["unshare", "--net", "sh", "-c", 'ip link set lo mtu 1500 up && exec "$@"', "sh"]

_PACKETS = 1_000_000  # that netem may hold; its own limit is less than a loop has
_SIZE = 1 << 16
_NETEM = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "limit", str(_PACKETS), "delay"]

#: When it is due, and what; nothing at the end.
_UnderWay: typing.TypeAlias = "queue.SimpleQueue[tuple[float, bytes]]"


def means() -> str:
    """What delays: `netem`, or `proxy`."""
    words = ["unshare", "--net", *_NETEM, "1ms"]
    done = subprocess.run(words, check=False, stderr=subprocess.DEVNULL)  # noqa: S603
    return "proxy" if done.returncode else "netem"


class Netem:
    """The way that there is.

    :ivar address: of the other end, ``HOST:PORT``
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def delay(self, seconds: float) -> None:
        """Take so long in each direction, from now on."""
        subprocess.run([*_NETEM, f"{round(1e6 * seconds)}us"], check=True)  # noqa: S603

    def close(self) -> None:
        """Leave it to the namespace, which goes with its processes."""


class Proxy:
    """The same through this process, which holds the bytes back.

    It ends TCP on both sides, so that its windows know nothing of the delay.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = host, int(port)
        self._listener = listener()
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._delay = 0.0
        threading.Thread(target=self._serve, daemon=True).start()

    def delay(self, seconds: float) -> None:
        """Take so long in each direction, from now on."""
        self._delay = seconds

    def close(self) -> None:
        """Take no more connections."""
        # Closing alone leaves the thread in its call.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            other = connected(self._target)
            for source, target in ((one, other), (other, one)):
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                under_way: _UnderWay = queue.SimpleQueue()
                for work, end in ((self._receive, source), (self._send, target)):
                    threading.Thread(target=work, args=(end, under_way), daemon=True).start()

    def _receive(self, source: socket.socket, under_way: _UnderWay) -> None:
        content = b"-"
        while content:
            try:
                content = source.recv(_SIZE)
            except OSError:
                content = b""
            under_way.put((time.monotonic() + self._delay, content))

    def _send(self, target: socket.socket, under_way: _UnderWay) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, content = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not content:
                    break
                target.sendall(content)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def way(address: str) -> typing.Iterator[Netem | Proxy]:
    """A way to an address of this namespace, without a delay at first."""
    found = Netem(address) if means() == "netem" else Proxy(address)
    with contextlib.closing(found):
        yield found


def listener() -> socket.socket:
    """What listens on a free port of loopback."""
    return socket.create_server(("127.0.0.1", 0))


def connected(address: tuple[str, int]) -> socket.socket:
    """A connection."""
    return socket.create_connection(address)
