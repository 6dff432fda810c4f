# SPDX-License-Identifier: Apache-2.0
"""Validated tokens in memcached, so that all processes of the service share them.

keystonemiddleware 13 reads ``[keystone_authtoken] memcached_servers`` by python-memcached, which
OpenStack's constraints do not have any more. But it takes a cache out of the environment of a
request, where Swift has one, and encrypts what it puts there.
"""

import importlib.util
import typing

import pymemcache
from oslo_config import cfg
from oslo_log import log as logging
from pymemcache import exceptions

LOG = logging.getLogger(__name__)

#: Where keystonemiddleware finds the cache in the environment of a request.
ENVIRON = "fpga_api.tokens"

_SECURED = ("memcache_sasl_enabled", "memcache_tls_enabled")

#: Seconds until a server that failed is tried again.
_PAUSE = 1

_FAILURES = (OSError, exceptions.MemcacheError, LookupError, ValueError)


class Cache:
    """What keystonemiddleware wants of a cache.

    :param servers: ``HOST:PORT`` of each
    :param timeout: seconds that a server has for an answer
    """

    def __init__(self, servers: typing.Sequence[str], timeout: float) -> None:
        self._client = pymemcache.HashClient(
            [server.removeprefix("inet6:").removeprefix("inet:") for server in servers],
            connect_timeout=timeout,
            timeout=timeout,
            use_pooling=True,
            retry_attempts=0,
            dead_timeout=_PAUSE,
        )

    def get(self, key: str) -> bytes | None:
        """A value; None where there is none, or the cache does not answer."""
        try:
            value: bytes | None = self._client.get(key)
        except _FAILURES as e:
            LOG.debug("The cache of tokens does not answer: %s", e)
            return None
        return value

    def set(self, key: str, value: bytes, time: int = 0) -> None:
        """Keep a value, if the cache answers.

        :param time: seconds
        """
        try:
            self._client.set(key, value, expire=time)
        except _FAILURES as e:
            LOG.debug("The cache does not take a token: %s", e)


def cache(conf: cfg.ConfigOpts) -> Cache | None:
    """The cache of ``[keystone_authtoken]``; None where each process has its own.

    With SASL or TLS it is keystonemiddleware's own.

    :raises ValueError: that needs python-binary-memcached, which is not there
    """
    own = conf.keystone_authtoken
    if not own.memcached_servers:
        return None
    # Older releases of keystonemiddleware do not have these options.
    if any(getattr(own, name, False) for name in _SECURED):
        if importlib.util.find_spec("bmemcached") is None:
            raise ValueError(
                "[keystone_authtoken] memcached_servers with SASL or TLS needs "
                "python-binary-memcached"
            )
        return None
    try:
        return Cache(own.memcached_servers, own.memcache_pool_socket_timeout)
    except ValueError as e:
        raise ValueError(f"[keystone_authtoken] memcached_servers: {e}") from e
