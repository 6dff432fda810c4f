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


class Answer(typing.NamedTuple):
    """What the engine has of this host.

    :ivar time: when it was asked
    :ivar containers: those of instances, by the uuid of these
    :ivar sources: the instances with a container that waits for the end of a move
    """

    time: float
    containers: dict[str, Listed]
    sources: list[str]


class Listing:
    """The containers of one engine that carry this host's label.

    :param engine: where they are
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = -math.inf
        self._last: Answer | None = None

    def complete(self) -> Answer:
        """All containers.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        begin = time.monotonic()
        with self._engine.asked_to("list containers") as client:
            # The low-level call asks once; the other looks at each container, which may be gone.
            found = client.api.containers(all=True, filters={"label": request.own_labels()})
        containers, sources = dict[str, Listed](), list[str]()
        for one in found:
            uuid = one["Labels"][request.LABEL_UUID]
            if request.is_source(one):
                sources.append(uuid)
            else:
                containers[uuid] = _listed(one)
        self._last = Answer(begin, containers, sources)
        return self._last

    def now(self) -> dict[str, Listed]:
        """The containers of instances, by the uuid of these.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        return self.complete().containers

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
