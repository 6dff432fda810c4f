# SPDX-License-Identifier: Apache-2.0
"""What is published is read as it was, whole, with its age, or not at all."""

import datetime
import pickle
import random
import typing

import pytest
from dogpile.cache import make_region
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_api import clock, errors, publication
from tests.support import api as support

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Cache:
    """A cache whose content the test sees."""

    def __init__(self) -> None:
        self.values: dict[str, typing.Any] = {}
        self.region = make_region().configure(
            "dogpile.cache.memory", arguments={"cache_dict": self.values}
        )


@pytest.fixture
def cache() -> Cache:
    return Cache()


@given(st.dictionaries(st.text(), JSON, max_size=5))
@settings(max_examples=50)
def test_document_is_read_as_it_was_published(document: dict[str, typing.Any]) -> None:
    region = Cache().region
    publication.Publication(region).publish("hosts", document, 15)
    read = publication.Publication(region).read("hosts")
    assert read is not None
    assert (read.document, read.interval, read.fault, read.stale) == (document, 15, None, False)
    assert 0 <= read.age < 5


def test_nothing_published_is_nothing_read(cache: Cache) -> None:
    assert publication.Publication(cache.region).read("hosts") is None


def test_large_document_is_in_parts_that_memcached_takes(cache: Cache) -> None:
    noise = random.Random(0).randbytes(3 * publication.PART_SIZE).hex()
    publication.Publication(cache.region).publish("hosts", {"noise": noise}, 15)
    # As pymemcache writes it.
    sizes = [len(pickle.dumps(tuple(one))) for one in cache.values.values()]
    assert len(sizes) > 3
    assert max(sizes) < 1_000_000
    read = publication.Publication(cache.region).read("hosts")
    assert read is not None
    assert read.document == {"noise": noise}


def test_lost_part_is_no_document(cache: Cache) -> None:
    publication.Publication(cache.region).publish("hosts", {"a": 1}, 15)
    part = next(key for key in cache.values if key.endswith(":0"))
    del cache.values[part]
    assert publication.Publication(cache.region).read("hosts") is None


def test_older_parts_do_not_pile_up(cache: Cache) -> None:
    published = publication.Publication(cache.region)
    for number in range(10):
        published.publish("hosts", {"number": number}, 15)
    # The head, and the parts of two versions.
    assert len(cache.values) == 3
    read = published.read("hosts")
    assert read is not None
    assert read.document == {"number": 9}


def test_unchanged_document_is_parsed_once(cache: Cache) -> None:
    published = publication.Publication(cache.region)
    published.publish("hosts", {"a": [1]}, 15)
    first, second = published.read("hosts"), published.read("hosts")
    assert first is not None
    assert second is not None
    assert first.document is second.document


def test_document_is_stale_after_a_failure_until_it_is_published_again(cache: Cache) -> None:
    published = publication.Publication(cache.region)
    published.publish("hosts", {}, 15)
    published.fail("hosts", "Placement does not answer")
    failed = published.read("hosts")
    published.publish("hosts", {}, 15)
    renewed = published.read("hosts")
    assert failed is not None
    assert renewed is not None
    assert (failed.stale, failed.fault) == (True, "Placement does not answer")
    assert (renewed.stale, renewed.fault) == (False, None)


@pytest.mark.parametrize(("age", "stale"), [(44, False), (46, True), (-44, False), (-46, True)])
def test_document_is_stale_after_three_intervals(age: float, stale: bool) -> None:
    at = clock.now() - datetime.timedelta(seconds=age)
    assert publication.Published({}, at, 15).stale is stale


def test_age_is_counted_from_the_beginning_of_the_look(cache: Cache) -> None:
    published = publication.Publication(cache.region)
    published.publish("hosts", {}, 15, clock.now() - datetime.timedelta(seconds=60))
    read = published.read("hosts")
    assert read is not None
    assert read.age >= 60
    assert read.stale


def test_cache_that_does_not_answer_is_a_failure_of_its_own() -> None:
    conf = support.configuration(
        cache={"backend": "dogpile.cache.pymemcache", "memcache_servers": ["127.0.0.1:1"]}
    )
    published = publication.Publication.of(conf)
    with pytest.raises(errors.CacheUnavailable):
        published.read("hosts")
    with pytest.raises(errors.CacheUnavailable):
        published.publish("hosts", {}, 15)
    with pytest.raises(errors.CacheUnavailable):
        published.fail("hosts", "")


def test_times_are_in_utc_with_their_zone() -> None:
    at = datetime.datetime(2026, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert clock.text(at) == "2026-01-01T00:00:00.000Z"
    assert clock.parse(clock.text(at)) == at
    with pytest.raises(ValueError, match="no zone"):
        clock.parse("2026-01-01T00:00:00")
