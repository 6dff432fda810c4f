# SPDX-License-Identifier: Apache-2.0
"""The connection to the Docker Engine, with its failures told apart."""

import contextlib
import threading
import time
import typing

import docker
import docker.errors
import requests
from oslo_config import cfg

from novadocker import errors

CONF = cfg.CONF

#: Seconds between two looks at an engine that is being waited for.
_PAUSE = 0.5

_UNREACHABLE = (requests.exceptions.ConnectionError, requests.exceptions.Timeout)


class Engine:
    """The engine at ``[docker] host_url``.

    It is connected to when it is needed, so that nova-compute can start before it.
    """

    def __init__(self) -> None:
        self._client: docker.DockerClient | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def asked_to(self, what: str) -> typing.Iterator[docker.DockerClient]:
        """The engine's client, for the time of one request or a few that belong together.

        `docker.errors.NotFound` is let through, because callers know what it means.

        :param what: what the engine is asked to do, for the error
        :raises errors.EngineUnavailable: it does not answer
        :raises errors.EngineRefused: it answers that it does not
        """
        try:
            yield self._connected()
        except docker.errors.NotFound:
            raise
        except docker.errors.APIError as e:
            raise errors.EngineRefused(what, e.explanation or str(e)) from e
        except _UNREACHABLE as e:
            raise errors.EngineUnavailable(CONF.docker.host_url, e) from e
        except docker.errors.DockerException as e:
            # The SDK has no class of its own for "no connection" when it negotiates the version.
            if self._client is None:
                raise errors.EngineUnavailable(CONF.docker.host_url, e) from e
            raise errors.EngineRefused(what, str(e)) from e

    def wait(self, seconds: float) -> None:
        """Wait until the engine answers.

        :raises errors.EngineUnavailable: it did not within this time
        """
        end = time.monotonic() + seconds
        while True:
            try:
                with self.asked_to("answer") as client:
                    client.ping()
                return
            except errors.EngineUnavailable:
                if time.monotonic() >= end:
                    raise
            time.sleep(_PAUSE)

    def info(self) -> dict[str, typing.Any]:
        """What the engine tells about itself and its host.

        :raises errors.EngineUnavailable: it does not answer
        """
        with self.asked_to("describe itself") as client:
            return client.info()

    def _connected(self) -> docker.DockerClient:
        with self._lock:
            if self._client is None:
                self._client = docker.DockerClient(
                    base_url=CONF.docker.host_url, timeout=CONF.docker.api_timeout
                )
            return self._client
