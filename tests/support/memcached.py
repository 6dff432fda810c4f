# SPDX-License-Identifier: Apache-2.0
"""A memcached of the tests."""

import contextlib
import pwd
import socket
import subprocess
import time
import typing

_READY = 60  # seconds


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def options(port: int) -> dict[str, typing.Any]:
    """What section ``[cache]`` has for it."""
    return {"backend": "dogpile.cache.pymemcache", "memcache_servers": [f"127.0.0.1:{port}"]}


@contextlib.contextmanager
def running(port: int) -> typing.Iterator[None]:
    """A memcached that listens; it is killed at the end."""
    user = pwd.getpwuid(65534).pw_name
    words = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", user, "-m", "64"]
    with subprocess.Popen(words) as process:
        try:
            attempt(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), OSError)
            yield
        finally:
            process.kill()


def attempt(call: typing.Callable[[], object], failure: type[Exception]) -> None:
    """Call something until it does not fail."""
    end = time.monotonic() + _READY
    while True:
        try:
            call()
        except failure:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
