# SPDX-License-Identifier: Apache-2.0
"""Sends the files of a container to another host, and mends what an interrupted move left."""

import typing

from nova import context as nova_context
from nova import exception, objects
from nova.virt import driver
from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import server_states
from novadocker import (
    carriers,
    clone_file,
    config_drive,
    errors,
    image_request,
    limits,
    numbers,
    request,
    reverts,
)
from novadocker.carriers import Carrier
from novadocker.containers import Containers
from novadocker.engine import Engine
from novadocker.network.network import Network
from novadocker.snapshots import Snapshots
from novadocker.sources import Sources

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_GIB = 1 << 30


class Moves:
    """Moves of the containers of one engine.

    :param containers: those of this host's instances
    :param sources: those that wait for the end of a move
    :param network: their networks
    :param snapshots: reads the files of containers
    """

    def __init__(
        self,
        engine: Engine,
        containers: Containers,
        sources: Sources,
        network: Network,
        snapshots: Snapshots,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._sources = sources
        self._network = network
        self._snapshots = snapshots

    def check(
        self, instance: "objects.Instance", flavor: "objects.Flavor", block_device_info: typing.Any
    ) -> None:
        """See that a container can move, while it runs.

        :param flavor: what it is to have
        :raises nova.exception.NovaException: the reason why it cannot
        """
        if driver.block_device_info_get_mapping(block_device_info):
            raise errors.NotMoved("a container has no volumes")
        limits.check(flavor)
        image_request.of(instance)
        attributes = self._containers.attributes(instance.uuid)
        size = self._snapshots.check(instance, attributes)
        if 0 < flavor.root_gb < instance.flavor.root_gb and size > flavor.root_gb * _GIB:
            raise errors.NotMoved(
                f"the server has {size // _GIB + 1} GiB of files, and the flavor's disk has "
                f"{flavor.root_gb}; remove some"
            )

    def send(
        self, context: "nova_context.RequestContext", instance: "objects.Instance", local: bool
    ) -> Carrier:
        """Make a carrier of a container that is stopped.

        :param local: whether it is for this host itself
        :raises nova.exception.NovaException: there is none; see `carriers.discard`
        """
        attributes = self._containers.attributes(instance.uuid)
        carrier = carriers.begin(instance, attributes["Config"].get("Cmd"), local)
        changes = self._snapshots.changes(attributes)
        with self._snapshots.archive(instance, carrier.image_id, changes, carrier.name or None) as (
            archive,
            layers,
        ):
            if local:
                carriers.load(self._engine, carrier, archive, layers)
            else:
                carrier = carriers.upload(context, instance, carrier, archive)
        return carrier

    def leave(self, instance: "objects.Instance") -> None:
        """Remove what this host has, besides containers, of an instance that is elsewhere now."""
        config_drive.remove(instance.uuid)
        clone_file.remove(instance.uuid)
        numbers.forget(instance.uuid)
        self._network.remove(instance)

    def recover(self) -> None:
        """Mend what interrupted moves left, of servers with which nothing is done any more.

        A server that waits for the end of a move has a vm_state of its own. One in ERROR may need
        all of it. Nova itself has source containers of servers that are deleted destroyed.
        """
        try:
            waiting = set(self._sources.uuids())
            for uuid in waiting.union(carriers.uuids()):
                self._recover(uuid, uuid in waiting)
            for uuid in reverts.uuids():
                self._end_revert(uuid)
        except errors.NO_ANSWER as e:
            LOG.warning("Interrupted moves are looked for again: %s", e.message)

    def _recover(self, uuid: str, waiting: bool) -> None:
        """Mend what is left of one move.

        :param waiting: whether there is a source container
        """
        try:
            instance = _instance(uuid)
        except exception.InstanceNotFound:
            if not waiting:
                carriers.discard(self._engine, uuid)
            return
        if instance.task_state is not None or instance.vm_state not in server_states.LIVING:
            return
        if waiting and instance.host == CONF.host and not self._has_container(uuid):
            LOG.warning("Its container is put back after a move", instance=instance)
            self._sources.put_back(uuid)
        elif waiting and not self._is_needless(uuid):
            LOG.warning(
                "Its source container of a move that failed is still here: see that the server "
                "has its files, and remove container %s",
                request.source_of(request.name_of(uuid)),
                instance=instance,
            )
            return
        elif waiting:
            LOG.warning("The source container of a move is removed", instance=instance)
            self._sources.remove(uuid)
            if instance.host != CONF.host:
                self.leave(instance)
        carriers.discard(self._engine, uuid)

    def _end_revert(self, uuid: str) -> None:
        """Forget a revert whose instance is gone, elsewhere, or has a container here again."""
        try:
            instance = _instance(uuid)
        except exception.InstanceNotFound:
            reverts.end(uuid)
            return
        if instance.task_state is None and (
            instance.host != CONF.host or self._has_container(uuid)
        ):
            reverts.end(uuid)

    def _is_needless(self, uuid: str) -> bool:
        """Whether a source container has nothing that its server lacks for sure."""
        carrier = carriers.recorded(uuid)
        return bool(carrier and carrier.confirmed)

    def _has_container(self, uuid: str) -> bool:
        return uuid in self._containers.listing.now()


def _instance(uuid: str) -> "objects.Instance":
    return objects.Instance.get_by_uuid(nova_context.get_admin_context(), uuid, expected_attrs=[])
