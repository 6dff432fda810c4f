# SPDX-License-Identifier: Apache-2.0
"""Documents that the engine publishes and the application reads, as JSON in memcached.

A document is compressed and split, because memcached takes no value larger than 1 MB. Its head
names the parts and is written last, so that a reader sees the old document or the new one.
"""

import dataclasses
import datetime
import json
import secrets
import threading
import typing
import zlib

from oslo_cache import core as oslo_cache
from oslo_config import cfg
from pymemcache import exceptions as pymemcache

from fpga_api import clock, errors

#: Names of the documents: the counts of flavors, cards and regions of all hosts, and packages of
#: bitstreams that people uploaded by raw Glance.
AVAILABILITY, HOSTS, BITSTREAMS = "availability", "hosts", "bitstreams"

#: Bytes of a part; memcached's limit is 1 MiB with the key.
PART_SIZE = 900_000

#: Refresh intervals after which a document is stale.
STALE_INTERVALS = 3

#: Seconds until a server that failed is tried again.
_PAUSE = 1

_FAILURES = (OSError, pymemcache.MemcacheError, zlib.error, ValueError, LookupError)


@dataclasses.dataclass(frozen=True)
class Published:
    """A document as it was read.

    :ivar document: what was published; all requests share it, so nobody changes it
    :ivar at: when the engine began to look
    :ivar interval: seconds after which the engine publishes it again
    :ivar fault: why the engine's last try since then failed; None if none failed
    """

    document: dict[str, typing.Any]
    at: datetime.datetime
    interval: float
    fault: str | None = None

    @property
    def age(self) -> float:
        """Seconds since then; 0 where the clocks of two hosts say that it is to come."""
        return max(0.0, self._distance)

    @property
    def stale(self) -> bool:
        """Whether the cloud may have changed since, and the engine did not see it.

        What is far in the future says nothing of its age: a clock was set.
        """
        return self.fault is not None or abs(self._distance) > STALE_INTERVALS * self.interval

    @property
    def _distance(self) -> float:
        return (clock.now() - self.at).total_seconds()

    def freshness(self) -> dict[str, typing.Any]:
        """The members of an answer that say how old it is."""
        return {"at": clock.text(self.at), "age": round(self.age, 3), "stale": self.stale}


class Publication:
    """What is published, in one cache.

    :param region: of dogpile.cache, configured
    """

    def __init__(self, region: typing.Any) -> None:
        self._region = region
        self._lock = threading.Lock()
        self._parsed: dict[str, tuple[str, dict[str, typing.Any]]] = {}

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> "Publication":
        """In the cache of section ``[cache]``.

        :raises ValueError: there cannot be such a cache
        """
        region = oslo_cache.create_region()
        try:
            oslo_cache.configure_cache_region(conf, region)
        # Of oslo.cache, of dogpile.cache, or of the import of what a backend needs.
        except Exception as e:
            raise ValueError(f"[cache] cannot be used: {e}") from e
        backend = region.actual_backend
        if hasattr(backend, "hashclient_retry_attempts"):
            # pymemcache 4.0 answers as if nothing were there, for a second after a failure, unless
            # it counts no retries. oslo.cache hands these on with `enable_retry_client` alone.
            backend.hashclient_retry_attempts = 0
            backend.dead_timeout = _PAUSE
        return cls(region)

    def publish(
        self,
        name: str,
        document: typing.Mapping[str, typing.Any],
        interval: float,
        at: datetime.datetime | None = None,
    ) -> None:
        """Replace a document.

        :param document: anything that JSON has
        :param interval: seconds after which the caller publishes it again
        :param at: when the caller began to look; None for now
        :raises errors.CacheUnavailable: the cache does not take it
        """
        data = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)
        parts = [data[start : start + PART_SIZE] for start in range(0, len(data), PART_SIZE)]
        version = secrets.token_hex(8)
        try:
            before = self._head(name)
            keys = _part_keys(name, version, len(parts))
            self._region.set_multi(dict(zip(keys, parts, strict=True)))
            head = {"version": version, "parts": len(parts), "interval": interval}
            head["at"] = clock.text(at or clock.now())
            head["before"] = {k: before[k] for k in ("version", "parts")} if before else None
            self._region.set(_head_key(name), json.dumps(head))
            self._region.delete(_fault_key(name))
            oldest = before and before["before"]
            if oldest:
                # A reader may still be at the one before.
                self._region.delete_multi(_part_keys(name, oldest["version"], oldest["parts"]))
        except _FAILURES as e:
            raise errors.CacheUnavailable(f"the cache does not take {name}: {e}") from e

    def fail(self, name: str, why: str) -> None:
        """Note that a document could not be renewed: the published one is stale from now on.

        :raises errors.CacheUnavailable: the cache does not take it
        """
        try:
            self._region.set(_fault_key(name), why)
        except _FAILURES as e:
            raise errors.CacheUnavailable(f"the cache does not take {name}: {e}") from e

    def read(self, name: str) -> Published | None:
        """The newest document of a name; None if there is none.

        :raises errors.CacheUnavailable: the cache does not answer
        """
        try:
            # The parts of a head may be gone once, if two newer ones were published meanwhile.
            return self._read(name) or self._read(name)
        except _FAILURES as e:
            raise errors.CacheUnavailable(f"the cache does not give {name}: {e}") from e

    def require(self, name: str) -> Published:
        """The newest document of a name that has to be there.

        :raises errors.NotPublished: there is none
        :raises errors.CacheUnavailable: the cache does not answer
        """
        found = self.read(name)
        if found is None:
            raise errors.NotPublished(f"the engine has not published {name} yet; try again soon")
        return found

    def _read(self, name: str) -> Published | None:
        # One question, because whoever asks waits for each answer of memcached.
        keys = [_head_key(name), _fault_key(name)]
        text, fault = map(_known, self._region.get_multi(keys, ignore_expiration=True))
        if text is None:
            return None
        head = json.loads(text)
        document = self._document(name, head)
        if document is None:
            return None
        return Published(document, clock.parse(head["at"]), head["interval"], fault)

    def _document(self, name: str, head: dict[str, typing.Any]) -> dict[str, typing.Any] | None:
        version = head["version"]
        with self._lock:
            known = self._parsed.get(name)
        if known and known[0] == version:
            return known[1]
        values = self._region.get_multi(
            _part_keys(name, version, head["parts"]), ignore_expiration=True
        )
        if oslo_cache.NO_VALUE in values:
            return None
        document: dict[str, typing.Any] = json.loads(zlib.decompress(b"".join(values)))
        with self._lock:
            self._parsed[name] = version, document
        return document

    def _head(self, name: str) -> dict[str, typing.Any] | None:
        # How old is too old is for `stale` to say: what is old is better than nothing.
        text = _known(self._region.get(_head_key(name), ignore_expiration=True))
        return None if text is None else json.loads(text)


def _known(value: typing.Any) -> typing.Any:
    return None if value is oslo_cache.NO_VALUE else value


def _head_key(name: str) -> str:
    return f"fpga-api:{name}"


def _fault_key(name: str) -> str:
    return f"fpga-api:{name}:fault"


def _part_keys(name: str, version: str, count: int) -> list[str]:
    return [f"fpga-api:{name}:{version}:{index}" for index in range(count)]
