# SPDX-License-Identifier: Apache-2.0
"""Pauses of containers whose files are copied, which end whatever happens meanwhile."""

import contextlib
import time
import typing

from nova.compute import power_state
from oslo_log import log as logging

from novadocker import errors
from novadocker.containers import Containers
from novadocker.instance_records import Records

LOG = logging.getLogger(__name__)

_RECORDS = Records("paused-for-snapshot")


class Pauses:
    """Pauses of the containers of one engine.

    :param containers: those of this host's instances
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._held: set[str] = set()

    @contextlib.contextmanager
    def held(
        self, uuid: str, work: typing.ContextManager[None] | None = None
    ) -> typing.Iterator[None]:
        """Have a container write nothing; one that does not run is left as it is.

        A container stays paused if the engine or nova-compute dies meanwhile, until `end`.

        :param work: begins before the pause, and ends before the container goes on
        :raises errors.EngineUnavailable, errors.EngineRefused: it may be paused still
        """
        work = work or contextlib.nullcontext()
        if self._containers.power_state(uuid) != power_state.RUNNING:
            with work:
                yield
            return
        self._held.add(uuid)
        try:
            _RECORDS.write(uuid, {})
            with work:
                start = time.monotonic()
                self._containers.pause(uuid)
                yield
        finally:
            try:
                self._end(uuid)
            finally:
                self._held.discard(uuid)
        LOG.info("Instance %s stood still for %.2f s", uuid, time.monotonic() - start)

    def end(self) -> None:
        """Have all containers go on that were left paused; those that are held now stay paused.

        :raises errors.EngineUnavailable, errors.EngineRefused: one may be paused still
        """
        for uuid in self.interrupted():
            self._end(uuid)

    def interrupted(self) -> set[str]:
        """The instances whose containers may have been left paused."""
        return set(_RECORDS.uuids()).difference(self._held)

    def _end(self, uuid: str) -> None:
        with contextlib.suppress(errors.NoContainer):
            self._containers.unpause(uuid)
        _RECORDS.remove(uuid)
