# SPDX-License-Identifier: Apache-2.0
"""Containers that wait on the source host of a move until it is confirmed or reverted.

Such a container is stopped, and has another name than the container of a server that is here. So a
server that is resized on its host has both.
"""

import docker.errors
from oslo_config import cfg

from novadocker import errors, request
from novadocker.containers import Containers
from novadocker.engine import Engine
from novadocker.network import sandboxes

CONF = cfg.CONF


class Sources:
    """The source containers of this host, with their sandboxes.

    :param engine: where they are
    :param containers: those of the instances of this host
    """

    def __init__(self, engine: Engine, containers: Containers) -> None:
        self._engine = engine
        self._containers = containers

    def set_aside(self, uuid: str) -> None:
        """Make the container of an instance its source container.

        :raises errors.EngineRefused, errors.EngineUnavailable: it may still have its own name
        """
        for name in _names(uuid):
            if self._exists(name):
                self._remove(request.source_of(name))  # of a move that is over
                self._rename(name, request.source_of(name))

    def put_back(self, uuid: str) -> bool:
        """Make the source container of an instance its container again; none is as good.

        :returns: whether there was one
        :raises errors.EngineRefused, errors.EngineUnavailable: it may not be its container yet
        """
        found = False
        for name in _names(uuid):
            found = self._exists(request.source_of(name))
            if found:
                self._rename(request.source_of(name), name)
        return found

    def remove(self, uuid: str) -> None:
        """Remove the source container of an instance; none is as good.

        :raises errors.EngineRefused, errors.EngineUnavailable: something of it may still be here
        """
        for name in _names(uuid):
            self._remove(request.source_of(name))

    def uuids(self) -> list[str]:
        """The instances that have a source container here.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        return self._containers.listing.complete().sources

    def _exists(self, name: str) -> bool:
        """Whether this host has a container of a name."""
        with self._engine.asked_to(f"look for container {name}") as client:
            try:
                attributes = client.api.inspect_container(name)
            except docker.errors.NotFound:
                return False
        labels = attributes["Config"]["Labels"] or {}
        return bool(labels.get(request.LABEL_HOST) == CONF.host)

    def _rename(self, name: str, new: str) -> None:
        what = f"rename container {name}"
        with self._engine.asked_to(what) as client:
            try:
                client.api.rename(name, new)
            except docker.errors.NotFound as e:
                raise errors.EngineRefused(what, str(e.explanation)) from e
            finally:
                self._containers.listing.changed()

    def _remove(self, name: str) -> None:
        with self._engine.asked_to(f"remove container {name}") as client:
            try:
                client.api.remove_container(name, v=True, force=True)
            except docker.errors.NotFound:
                return


def _names(uuid: str) -> tuple[str, str]:
    """The names of the sandbox and, last, of the container: who has that has both."""
    return sandboxes.name_of(uuid), request.name_of(uuid)
