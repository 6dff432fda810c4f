# SPDX-License-Identifier: Apache-2.0
"""The connection to the Docker Engine, with its failures told apart."""

import contextlib
import time
import typing

import docker
import docker.errors
import docker.tls
import requests
from oslo_config import cfg

from novadocker import errors

CONF = cfg.CONF

#: Seconds between two looks at an engine that is being waited for.
PAUSE = 0.5


class _Api(docker.APIClient):
    """Connects to the engine as our options say, whatever the environment has.

    requests prefers REQUESTS_CA_BUNDLE to a client's own certificates, and takes proxies from the
    environment, too.
    """

    @property
    def trust_env(self) -> bool:
        """Never; requests sets True when a client is made."""
        return False

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        pass


class _Client(docker.DockerClient):
    def __init__(self, **options: typing.Any) -> None:
        self.api = _Api(**options)


class _Connection(typing.NamedTuple):
    """A client, and what the engine said of its API when the client was made."""

    client: docker.DockerClient
    version: str | None


class Engine:
    """The engine at ``[docker] host_url``.

    It is connected to when it is needed, so that nova-compute can start before it. An engine that
    was upgraded since may not speak the version of the API that was negotiated with it before; each
    request asks for the version first, and negotiates again where it changed.
    """

    def __init__(self) -> None:
        self._connection: _Connection | None = None

    @contextlib.contextmanager
    def asked_to(self, what: str) -> typing.Iterator[docker.DockerClient]:
        """The engine's client, for the time of one request or a few that belong together.

        `docker.errors.NotFound` is let through, because callers know what it means.

        :param what: what the engine is asked to do, for the error
        :raises errors.EngineUnavailable: it does not answer
        :raises errors.EngineRefused: it answers that it does not
        """
        client = self._connected()
        try:
            yield client
        except docker.errors.NotFound:
            raise
        except docker.errors.APIError as e:
            reason = e.explanation or str(e)
            if "client version" in reason:  # another engine, since the version was looked at
                self._connection = None
            raise errors.EngineRefused(what, reason) from e
        # No connection, no answer in time, an end in the middle of the answer, or no JSON.
        except requests.exceptions.RequestException as e:
            raise errors.EngineUnavailable(CONF.docker.host_url, e) from e
        except docker.errors.DockerException as e:
            raise errors.EngineRefused(what, str(e)) from e

    @contextlib.contextmanager
    def asked_patiently(self, what: str, seconds: int) -> typing.Iterator[docker.DockerClient]:
        """As `asked_to`, with a connection of its own that waits longer.

        :param seconds: without an answer after which the engine counts as not reachable
        """
        with self.asked_to(what) as client:
            patient = connect(client.api.api_version, seconds)
            try:
                yield patient
            finally:
                patient.close()

    def wait(self, seconds: float) -> None:
        """Wait until the engine answers.

        :raises errors.EngineUnavailable: it did not within this time
        """
        end = time.monotonic() + seconds
        while True:
            try:
                self._connected()
                return
            except errors.EngineUnavailable:
                if time.monotonic() >= end:
                    raise
            time.sleep(PAUSE)

    def info(self) -> dict[str, typing.Any]:
        """What the engine tells about itself and its host.

        :raises errors.EngineUnavailable: it does not answer
        """
        with self.asked_to("describe itself") as client:
            return client.info()

    def _connected(self) -> docker.DockerClient:
        """A client that speaks the engine's version; no lock, so that nobody waits for another."""
        known = self._connection
        try:
            if known is None or _version_of(known.client) != known.version:
                client = connect("auto", CONF.docker.api_timeout)
                known = self._connection = _Connection(client, _version_of(client))
        # The SDK has no class of its own for "no connection" when it negotiates the version, and
        # requests none for certificates that are gone or cannot be read: both raise an OSError.
        except (OSError, docker.errors.DockerException) as e:
            raise errors.EngineUnavailable(CONF.docker.host_url, e) from e
        return known.client


def connect(version: str, timeout: int) -> docker.DockerClient:
    """A client of the engine, with TLS where its address is no socket.

    :param version: of the API; ``auto`` asks the engine
    :param timeout: seconds without an answer after which a request fails
    :raises docker.errors.DockerException: it cannot be connected to, or the options lack a file
    """
    return _Client(
        base_url=CONF.docker.host_url, version=version, timeout=timeout, tls=_tls() or False
    )


def _tls() -> docker.tls.TLSConfig | None:
    options = CONF.docker
    if options.host_url.startswith("unix:"):
        return None
    if not (options.ca_file and options.cert_file and options.key_file):
        raise docker.errors.DockerException("TLS needs all three, and the address is no socket")
    return docker.tls.TLSConfig(
        client_cert=(options.cert_file, options.key_file), ca_cert=options.ca_file, verify=True
    )


def _version_of(client: docker.DockerClient) -> str | None:
    """The newest version of the API that the engine speaks; None where it does not say.

    The path has no version, because an engine answers none that is too old or too new for it.
    """
    answer = client.api.get(f"{client.api.base_url}/_ping", timeout=CONF.docker.api_timeout)
    return answer.headers.get("API-Version")
