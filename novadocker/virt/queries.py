# SPDX-License-Identifier: Apache-2.0
"""What Nova asks about the containers of this host, and what it is told without asking."""

import typing

from nova import exception
from nova.compute import power_state
from nova.virt import driver, hardware
from oslo_log import log as logging

from novadocker import (
    clone_file,
    config_drive,
    containers,
    diagnostics,
    errors,
    events,
    listing,
    request,
)
from novadocker.engine import Engine
from novadocker.network import network

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

_Any = typing.Any


class Queries(driver.ComputeDriver):  # type: ignore[misc]
    """The part of a driver that changes nothing.

    :ivar engine: this host's
    :ivar containers: those of this host
    :ivar network: their networks
    """

    engine: Engine
    containers: containers.Containers
    network: network.Network
    _listener: typing.Callable[..., None] | None = None
    _watch: events.Watch | None = None

    def register_event_listener(self, callback: typing.Callable[..., None] | None) -> None:
        """Emit events to Nova, from its first audit on; None ends that."""
        super().register_event_listener(callback)
        self._listener = callback
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    def watch(self) -> None:
        """Begin to emit events, if Nova listens.

        Nova registers before it has looked after its instances, and audits after that. Until then
        an event would have it stop a container that it is about to start.
        """
        if self._listener is not None and self._watch is None:
            self._watch = events.Watch(self.engine, self.containers.listing, self.emit_event)
            self._watch.start()

    def list_instances(self) -> list[str]:
        """Nova's names of the instances in `list_instance_uuids`."""
        found = self.containers.listing.complete()
        others = (request.name_of(uuid) for uuid in self._without_container(found))
        return [*(one.name for one in found.containers.values()), *others]

    def list_instance_uuids(self) -> list[str]:
        """The instances that have a container, or of which something else is left here.

        Nova has those destroyed that it does not know.
        """
        found = self.containers.listing.complete()
        return [*found.containers, *self._without_container(found)]

    def get_num_instances(self) -> int:
        """How many instances have a container.

        :raises nova.exception.VirtDriverNotReady: the engine does not answer; Nova then leaves its
            comparison of power states out, which asks this first
        """
        try:
            return len(self.containers.listing.now())
        except errors.NO_ANSWER as e:
            raise exception.VirtDriverNotReady from e

    def instance_exists(self, instance: "objects.Instance") -> bool:
        """Whether an instance has a container.

        :raises nova.exception.NovaException: that is not known
        """
        try:
            self.containers.attributes(instance.uuid)
        except errors.NoContainer:
            return False
        return True

    def get_info(
        self, instance: "objects.Instance", use_cache: bool = True
    ) -> hardware.InstanceInfo:
        """The power state; NOSTATE while the engine does not answer, or not for this container.

        Nova asks this for each instance when it starts, and would not start if it raised.

        :param use_cache: whether the list of some seconds ago will do; Nova's periodic task asks so
            for each instance, and again without before it stops one
        :raises nova.exception.InstanceNotFound: there is no container
        """
        try:
            listed = self.containers.listing.recent() if use_cache else None
            if listed is None:
                return hardware.InstanceInfo(state=self.containers.power_state(instance.uuid))
            if instance.uuid not in listed:
                raise exception.InstanceNotFound(instance_id=instance.uuid)
            return hardware.InstanceInfo(state=listed[instance.uuid].power_state)
        except errors.NoContainer as e:
            raise exception.InstanceNotFound(instance_id=instance.uuid) from e
        except errors.NO_ANSWER as e:
            LOG.error("Power state unknown: %s", e.message, instance=instance)
            return hardware.InstanceInfo(state=power_state.NOSTATE)

    def get_diagnostics(self, instance: "objects.Instance") -> dict[str, _Any]:
        """What the container uses, up to API 2.47.

        :raises nova.exception.NovaException: that is not known
        """
        return diagnostics.as_dictionary(diagnostics.of(self.containers, instance.uuid))

    def get_instance_diagnostics(self, instance: "objects.Instance") -> _Any:
        """What the container uses, from API 2.48 on.

        :raises nova.exception.NovaException: that is not known
        """
        usage = diagnostics.of(self.containers, instance.uuid)
        # Nova asks only for an instance that runs.
        return diagnostics.as_object(usage, instance, power_state.STATE_MAP[power_state.RUNNING])

    def _without_container(self, found: listing.Answer) -> list[str]:
        files = config_drive.uuids() + clone_file.uuids()
        others = self.network.uuids().union(files, found.sources)
        return [uuid for uuid in sorted(others) if uuid not in found.containers]
