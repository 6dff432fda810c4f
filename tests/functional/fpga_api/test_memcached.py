# SPDX-License-Identifier: Apache-2.0
"""What is published in a memcached, which may go and come again."""

import contextlib
import pwd
import random
import socket
import subprocess
import time
import typing

import pytest

from fpga_api import errors
from fpga_api.publication import PART_SIZE, Publication
from tests.support import api as support

_READY = 60  # seconds


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def memcached(port: int) -> typing.Iterator[None]:
    user = pwd.getpwuid(65534).pw_name
    words = ["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", user, "-m", "64"]
    with subprocess.Popen(words) as process:
        try:
            _wait(lambda: socket.create_connection(("127.0.0.1", port), 1).close(), OSError)
            yield
        finally:
            process.kill()


def _wait(attempt: typing.Callable[[], object], failure: type[Exception]) -> None:
    end = time.monotonic() + _READY
    while True:
        try:
            attempt()
        except failure:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _publication(port: int) -> Publication:
    """One of a process of its own: nothing is in its memory yet."""
    server = f"127.0.0.1:{port}"
    backend = {"backend": "dogpile.cache.pymemcache", "memcache_servers": [server]}
    return Publication.of(support.configuration(cache=backend))


def test_large_document_is_read_by_another_process(port: int) -> None:
    document = {"noise": random.Random(0).randbytes(3 * PART_SIZE).hex()}
    with memcached(port):
        _publication(port).publish("hosts", document, 15)
        read = _publication(port).read("hosts")
        assert read is not None
        assert (read.document, read.stale) == (document, False)
        _publication(port).fail("hosts", "Placement does not answer")
        read = _publication(port).read("hosts")
        assert read is not None
        assert (read.document, read.stale) == (document, True)


def test_cache_that_goes_is_a_failure_each_time_and_comes_again(port: int) -> None:
    engine, application = _publication(port), _publication(port)
    with memcached(port):
        engine.publish("hosts", {"a": 1}, 15)
        assert application.read("hosts") is not None
    for _ in range(3):
        with pytest.raises(errors.CacheUnavailable):
            application.read("hosts")
        with pytest.raises(errors.CacheUnavailable):
            engine.publish("hosts", {"a": 2}, 15)
    with memcached(port):
        _wait(lambda: engine.publish("hosts", {"a": 3}, 15), errors.CacheUnavailable)
        _wait(lambda: application.read("hosts"), errors.CacheUnavailable)
        read = application.read("hosts")
        assert read is not None
        assert read.document == {"a": 3}
