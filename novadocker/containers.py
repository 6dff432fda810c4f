# SPDX-License-Identifier: Apache-2.0
"""The containers of this host's instances: made, found, started, stopped and removed."""

import time
import typing

import docker.errors
from nova.compute import power_state
from oslo_config import cfg
from oslo_log import log as logging

from novadocker import errors, guests, listing, numbers, request, state
from novadocker.engine import PAUSE, Engine

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: A container in one of these is never started again.
_BEING_REMOVED = ("removing", "dead")

#: Seconds until the engine knows that a container ended.
_ENDS_WITHIN = 5

#: The calls of the engine that change what the list of containers shows.
_CHANGES = frozenset({"start", "stop", "pause", "unpause"})

#: Bytes of the console log that Nova gets at most; its API hands all of it to one browser.
CONSOLE_SIZE = 100 << 10
#: A line of the log has this many bytes at most, but for short ones there are more of them.
_CONSOLE_LINES = 2000


class Containers:
    """The containers of one engine that carry this host's label.

    :param engine: where they are
    :ivar listing: of all of them
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.listing = listing.Listing(engine)

    def create(self, uuid: str, options: dict[str, typing.Any]) -> None:
        """Make the container of an instance; one that a crash left behind is removed first.

        :param options: of the SDK's ``containers.create``
        :raises errors.EngineRefused: the engine did not make it
        :raises errors.EngineUnavailable: it is not known whether there is one
        """
        self.remove(uuid)
        with self.engine.asked_to("make the container") as client:
            try:
                client.containers.create(**options)
            except docker.errors.NotFound as e:
                raise errors.EngineRefused("make the container", str(e.explanation)) from e
            finally:
                self.listing.changed()

    def remove(self, uuid: str) -> bool:
        """Remove the container of an instance, running or not, with what it wrote.

        Where somebody else removes it already, this waits until it is gone, for ``[docker]
        api_timeout`` at most.

        :returns: whether there was one to remove
        :raises errors.EngineRefused: it is still there
        :raises errors.EngineUnavailable: it may still be there
        """
        end = time.monotonic() + CONF.docker.api_timeout
        while (removed := self._remove_once(uuid)) is None:
            if time.monotonic() > end:
                raise errors.EngineRefused(
                    "remove the container",
                    f"somebody else's removal is not done after {CONF.docker.api_timeout} s",
                )
            time.sleep(PAUSE)
        state.forget(uuid)
        numbers.forget(uuid)
        return removed

    def attributes(self, uuid: str) -> dict[str, typing.Any]:
        """What the engine tells about the container of an instance.

        :raises errors.NoContainer: there is none
        """
        return typing.cast(dict[str, typing.Any], self._do(uuid, "inspect_container"))

    def statistics(self, uuid: str) -> dict[str, typing.Any]:
        """What the engine tells of the use of resources: two samples, which take a second or two.

        :raises errors.NoContainer: there is none
        """
        found = self._do(uuid, "stats", stream=False)
        return typing.cast(dict[str, typing.Any], found)

    def power_state(self, uuid: str) -> int:
        """Nova's power state of an instance.

        :raises errors.NoContainer: it has no container
        """
        return listing.power_state_of(self._status(uuid))

    def start(self, uuid: str) -> None:
        """Start the container; one that runs is left alone, one that is paused goes on.

        :raises errors.NoContainer: there is none, or there was one whose removal had begun, which
            the engine never starts
        :raises errors.BadDevice: see guests.record_numbers
        """
        status = self._status(uuid)
        if status in _BEING_REMOVED:
            self.remove(uuid)
            raise errors.NoContainer(uuid)
        if status == "paused":
            self._do(uuid, "unpause")
            return
        if status != "running":
            guests.record_numbers(self.engine, uuid, self.attributes(uuid))
        self._do(uuid, "start")

    def stop(self, uuid: str, seconds: int) -> None:
        """Stop the container; killed when it has not ended after some seconds.

        :raises errors.NoContainer: there is none
        """
        if self.power_state(uuid) == power_state.PAUSED:
            self.unpause(uuid)
        self._do(uuid, "stop", timeout=seconds)

    def pause(self, uuid: str) -> None:
        """Freeze all processes of the container."""
        if self.power_state(uuid) != power_state.PAUSED:
            self._do(uuid, "pause")

    def unpause(self, uuid: str) -> None:
        """Let the processes of the container go on; done, too, if it ended meanwhile.

        With cgroup v2 a killed process ends although it is frozen, and the engine knows it later:
        it refuses to have the container go on, or says that there is nothing to go on.

        :raises errors.EngineRefused: it is paused still
        """
        if self.power_state(uuid) != power_state.PAUSED:
            return
        try:
            self._do(uuid, "unpause")
        except errors.EngineRefused:
            end = time.monotonic() + _ENDS_WITHIN
            while self.power_state(uuid) == power_state.PAUSED:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE)

    def console(self, uuid: str) -> bytes:
        """The end of what the container wrote to standard output and standard error."""
        text = self._do(uuid, "logs", stdout=True, stderr=True, tail=_CONSOLE_LINES)
        return bytes(text)[-CONSOLE_SIZE:]

    def _status(self, uuid: str) -> str:
        return str(self.attributes(uuid)["State"]["Status"])

    def _remove_once(self, uuid: str) -> bool | None:
        """Remove the container; False if there was none, None if somebody else removes it."""
        with self.engine.asked_to("remove the container") as client:
            try:
                client.api.remove_container(request.name_of(uuid), v=True, force=True)
            except docker.errors.NotFound as e:
                _check_is_missing(e, "remove the container")
                return False
            except docker.errors.APIError as e:
                if "already in progress" not in str(e.explanation):
                    raise
                return None
            finally:
                self.listing.changed()
        return True

    def _do(self, uuid: str, call: str, **arguments: typing.Any) -> typing.Any:
        what = f"{call.partition('_')[0]} the container"
        with self.engine.asked_to(what) as client:
            try:
                return getattr(client.api, call)(request.name_of(uuid), **arguments)
            except docker.errors.NotFound as e:
                _check_is_missing(e, what)
                raise errors.NoContainer(uuid) from e
            finally:
                if call in _CHANGES:
                    self.listing.changed()


def _check_is_missing(error: docker.errors.NotFound, what: str) -> None:
    """See that the engine says that there is no container, and not that something else is missing.

    :raises errors.EngineRefused: it says something else, which is no evidence
    """
    if "No such container" not in str(error.explanation):
        raise errors.EngineRefused(what, str(error.explanation)) from error
