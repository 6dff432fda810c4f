# SPDX-License-Identifier: Apache-2.0
"""Pauses of containers whose files are copied, which end whatever happens meanwhile."""

import contextlib
import typing

from nova.compute import power_state

from novadocker import errors
from novadocker.containers import Containers
from novadocker.instance_records import Records

_RECORDS = Records("paused-for-snapshot")


class Pauses:
    """Pauses of the containers of one engine.

    :param containers: those of this host's instances
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    @contextlib.contextmanager
    def held(self, uuid: str) -> typing.Iterator[None]:
        """Have a container write nothing; one that does not run is left as it is.

        A container stays paused if the engine or nova-compute dies meanwhile, until `end`.

        :raises errors.EngineUnavailable, errors.EngineRefused: it may be paused still
        """
        if self._containers.power_state(uuid) != power_state.RUNNING:
            yield
            return
        _RECORDS.write(uuid, {})
        try:
            self._containers.pause(uuid)
            yield
        finally:
            self._end(uuid)

    def end(self, but: typing.Iterable[str]) -> None:
        """Have all containers go on that were left paused.

        :param but: the instances whose files are copied now
        :raises errors.EngineUnavailable, errors.EngineRefused: one may be paused still
        """
        for uuid in set(_RECORDS.uuids()).difference(but):
            self._end(uuid)

    def _end(self, uuid: str) -> None:
        with contextlib.suppress(errors.NoContainer):
            self._containers.unpause(uuid)
        _RECORDS.remove(uuid)
