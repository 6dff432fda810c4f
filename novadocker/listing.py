# SPDX-License-Identifier: Apache-2.0
"""All containers of this host's instances, by one question to the engine."""

import math
import time
import typing

from nova.compute import power_state

from novadocker import request
from novadocker.engine import Engine

#: The states of the engine (https://docs.docker.com/reference/api/engine/) as Nova's.
_STATES = {
    "created": power_state.SHUTDOWN,
    "running": power_state.RUNNING,
    "paused": power_state.PAUSED,
    "restarting": power_state.RUNNING,
    "removing": power_state.SHUTDOWN,
    "exited": power_state.SHUTDOWN,
    "dead": power_state.CRASHED,
}

#: Seconds for which an answer serves where nothing was changed since.
_LIFETIME = 5
#: Seconds after a change in which the list may be older than what the engine tells of a container:
#: moby sends the event of an end, and answers a stop, before the list has it.
_LAG = 1


class Listed(typing.NamedTuple):
    """A container in the list.

    :ivar name: Nova's name of the instance (``OS-EXT-SRV-ATTR:instance_name``); up to fpga-nova
        0.3, whose containers do not have it, the container's
    :ivar power_state: Nova's
    """

    name: str
    power_state: int


class _Answer(typing.NamedTuple):
    time: float
    containers: dict[str, Listed]


class Listing:
    """The containers of one engine that carry this host's label.

    Those that wait for the end of a move are not among them.

    :param engine: where they are
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = -math.inf
        self._last: _Answer | None = None

    def now(self) -> dict[str, Listed]:
        """The containers, by the uuid of their instances.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        begin = time.monotonic()
        with self._engine.asked_to("list containers") as client:
            # The low-level call asks once; the other looks at each container, which may be gone.
            found = client.api.containers(all=True, filters={"label": request.own_labels()})
        containers = {
            one["Labels"][request.LABEL_UUID]: _listed(one)
            for one in found
            if not request.is_source(one)
        }
        self._last = _Answer(begin, containers)
        return containers

    def recent(self) -> dict[str, Listed] | None:
        """The same, of some seconds ago if nothing is known to have changed since.

        :returns: None where a change is too recent to be in the list for sure
        :raises errors.EngineUnavailable: the engine does not answer
        """
        settled = self._changed + _LAG
        if time.monotonic() < settled:
            return None
        last = self._last
        if last and last.time >= settled and time.monotonic() - last.time < _LIFETIME:
            return last.containers
        return self.now()

    def changed(self) -> None:
        """Note that a container was changed."""
        self._changed = time.monotonic()


def power_state_of(status: str) -> int:
    """A state of the engine as Nova's power state."""
    return int(_STATES.get(status, power_state.NOSTATE))


def _listed(container: typing.Mapping[str, typing.Any]) -> Listed:
    labels = container["Labels"]
    name = labels.get(request.LABEL_INSTANCE) or request.name_of(labels[request.LABEL_UUID])
    return Listed(name, power_state_of(container["State"]))
