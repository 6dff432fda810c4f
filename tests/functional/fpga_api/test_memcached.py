# SPDX-License-Identifier: Apache-2.0
"""What is published in a memcached, which may go and come again."""

import random

import pytest

from fpga_api import errors
from fpga_api.publication import PART_SIZE, Publication
from tests.support import api as support
from tests.support import memcached


@pytest.fixture
def port() -> int:
    return memcached.free_port()


def _publication(port: int) -> Publication:
    """One of a process of its own: nothing is in its memory yet."""
    return Publication.of(support.configuration(cache=memcached.options(port)))


def test_large_document_is_read_by_another_process(port: int) -> None:
    document = {"noise": random.Random(0).randbytes(3 * PART_SIZE).hex()}
    with memcached.running(port):
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
    with memcached.running(port):
        engine.publish("hosts", {"a": 1}, 15)
        assert application.read("hosts") is not None
    for _ in range(3):
        with pytest.raises(errors.CacheUnavailable):
            application.read("hosts")
        with pytest.raises(errors.CacheUnavailable):
            engine.publish("hosts", {"a": 2}, 15)
    with memcached.running(port):
        memcached.attempt(lambda: engine.publish("hosts", {"a": 3}, 15), errors.CacheUnavailable)
        memcached.attempt(lambda: application.read("hosts"), errors.CacheUnavailable)
        read = application.read("hosts")
        assert read is not None
        assert read.document == {"a": 3}
