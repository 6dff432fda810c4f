# SPDX-License-Identifier: Apache-2.0
"""Suspends containers: their memory is dumped and they end; a start restores them.

The dump stays with root, for the very container that it was made of. So nothing is signed, and the
files of the container are where they were.
"""

import contextlib
import pathlib
import time
import typing

from nova.compute import power_state
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.instance import bitstreams
from novadocker import errors, live_launch, live_store
from novadocker.containers import Containers
from novadocker.live_host import RUNTIME, LiveHost
from novadocker.pauses import Pauses

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Seconds between two looks, and until the engine knows of an end.
_PAUSE, _SOON = 0.1, 5


class Suspensions:
    """Suspensions of the containers of one engine.

    :param containers: those of this host's instances
    :param pauses: has one stand still
    :param host: what dumps their memory
    """

    def __init__(self, containers: Containers, pauses: Pauses, host: LiveHost) -> None:
        self._containers, self._pauses, self._host = containers, pauses, host

    def suspend(self, instance: "objects.Instance") -> None:
        """Dump the memory of a container, which ends.

        :raises errors.NotSuspended: with the reason; it goes on
        :raises errors.EngineUnavailable, errors.EngineRefused: it may have ended
        """
        self._host.look()
        if self._host.refusal is not None:
            raise errors.NotSuspended(f"its host has no live images: {self._host.refusal}")
        attributes = self._containers.attributes(instance.uuid)
        if attributes["State"]["Status"] != "running":
            raise errors.NotSuspended("only a server that runs can be suspended; start it first")
        if attributes["HostConfig"].get("Runtime") != RUNTIME:
            raise errors.NotSuspended(
                "its container was made before its host had live images; rebuild the server, or "
                "pause it"
            )
        try:
            owner = bitstreams.owner(instance)
            work = self._host.dumped(attributes["Id"], owner, suspend=True)
            with self._pauses.held(instance.uuid, work):
                LOG.info("Its memory is dumped", instance=instance)
        except errors.NoLiveImage as e:
            if not self._ended_after_all(instance, attributes["Id"]):
                raise errors.NotSuspended(e.reason) from e
        self._wait_for_the_end(instance)

    def _ended_after_all(self, instance: "objects.Instance", container: str) -> bool:
        """Whether a container was suspended by a program that was itself killed at its last step.

        The dump of one that goes on is removed: a later start would go back to it.
        """
        if not _dump_of(container).is_dir():
            return False
        end = time.monotonic() + _SOON
        while self._containers.power_state(instance.uuid) != power_state.SHUTDOWN:
            if time.monotonic() > end:
                self._host.discard(container)
                return False
            time.sleep(_PAUSE)
        return True

    def check(self, instance: "objects.Instance") -> str:
        """See that a container was suspended; its id in the engine.

        :raises errors.NotResumed: its host has no dump of it
        """
        container = str(self._containers.attributes(instance.uuid)["Id"])
        if not _dump_of(container).is_dir():
            raise errors.NotResumed(
                "its host does not have its memory any more; reboot it hard, which starts it anew"
            )
        return container

    def keeps_memory(self, instance: "objects.Instance") -> bool:
        """Whether a shelved server is to keep its memory: it runs, and its host can do it."""
        if not CONF.docker.live_shelve:
            return False
        self._host.look()
        if self._host.refusal is not None:
            LOG.warning("It is shelved without its memory: %s", self._host.refusal)
            return False
        try:
            return bool(self._containers.power_state(instance.uuid) == power_state.RUNNING)
        except errors.NoContainer:
            return False

    def has_memory(self, instance: "objects.Instance") -> bool:
        """Whether the memory of a container that does not run is here.

        :raises errors.EngineUnavailable, errors.EngineRefused: it is not known; a start would
            remove it
        """
        if not CONF.docker.live_images:
            return False
        try:
            return _dump_of(str(self._containers.attributes(instance.uuid)["Id"])).is_dir()
        except errors.NoContainer:
            return False
        except errors.NoLiveImage as e:
            LOG.warning("It has no memory here: %s", e.message, instance=instance)
            return False

    @contextlib.contextmanager
    def restored(self, instance: "objects.Instance") -> typing.Iterator[None]:
        """Have the start of a container restore it, if its memory is here."""
        if not self.has_memory(instance):
            yield
            return
        with self.resumed(self.check(instance)):
            yield

    @contextlib.contextmanager
    def resumed(self, container: str) -> typing.Iterator[None]:
        """Have the start of a container restore it."""
        with live_launch.mark(container, {"suspended": True}):
            yield

    def forget(self, container: str) -> None:
        """Remove the dump of a container that is gone; none is as good."""
        if _dump_of(container).is_dir():
            self._host.discard(container)

    def container_of(self, uuid: str) -> str | None:
        """The id of a container that may be suspended; None if there is none, or it is unknown."""
        if not CONF.docker.live_images:
            return None
        try:
            return str(self._containers.attributes(uuid)["Id"])
        except (errors.NoContainer, *errors.NO_ANSWER):
            return None

    def _wait_for_the_end(self, instance: "objects.Instance") -> None:
        """Wait until the engine knows that a container ended, whose processes were killed."""
        end = time.monotonic() + CONF.docker.stop_timeout
        while self._containers.power_state(instance.uuid) != power_state.SHUTDOWN:
            if time.monotonic() > end:
                self._containers.stop(instance.uuid, 0)
                return
            time.sleep(_PAUSE)


def _dump_of(container: str) -> pathlib.Path:
    """Where the memory of a container is that is suspended.

    :raises errors.NoLiveImage: root's settings cannot be read
    """
    return live_store.configuration().suspended(container)
