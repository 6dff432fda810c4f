# SPDX-License-Identifier: Apache-2.0
"""Migrates and resizes instances, as Nova's driver interface asks for it."""

import typing

from nova import exception, objects
from nova.compute import power_state
from oslo_log import log as logging

from novadocker import carriers, errors, moves, request, reverts
from novadocker.carriers import Carrier
from novadocker.engine import Engine
from novadocker.virt import networks, power

if typing.TYPE_CHECKING:
    from nova import context as nova_context

LOG = logging.getLogger(__name__)

_Any = typing.Any

_RUNS = (power_state.RUNNING, power_state.PAUSED)


class MoveActions(power.PowerActions):
    """The part of a driver that moves instances between hosts, and resizes them.

    The container of before waits on its host, stopped, until the move is confirmed or reverted.

    :ivar engine: this host's
    :ivar moves: of this host's containers
    """

    engine: Engine
    moves: moves.Moves

    def migrate_disk_and_power_off(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        dest: str,
        flavor: "objects.Flavor",
        network_info: _Any,
        block_device_info: _Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        """Stop a container and send its files to the new host.

        :returns: what `finish_migration` gets as ``disk_info``
        :raises nova.exception.InstanceFaultRollback: the reason why it does not move; the server
            is as before, but its container may have been started anew
        """
        try:
            self.moves.check(instance, flavor, block_device_info)
            runs = self.containers.power_state(instance.uuid) in _RUNS
        except exception.NovaException as e:
            raise _refused(e) from e
        try:
            self.power_off(instance, timeout, retry_interval)
            carrier = self.moves.send(context, instance, _stays_here(context, instance))
            self.sources.set_aside(instance.uuid)
        except Exception as e:
            self._undo(context, instance, network_info, runs)
            raise _refused(e) from e
        return carrier.text

    def finish_migration(
        self,
        context: "nova_context.RequestContext",
        migration: "objects.Migration",
        instance: "objects.Instance",
        disk_info: str,
        network_info: _Any,
        image_meta: "objects.ImageMeta",
        resize_instance: bool,
        allocations: _Any,
        block_device_info: _Any = None,
        power_on: bool = True,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Make the container of an instance that moves here.

        If this fails, a hard reboot tries it again.

        :raises nova.exception.NovaException: the reason why there is none
        """
        carrier = Carrier.parse(disk_info)
        carriers.record(instance.uuid, carrier)
        request.check(instance, None, block_device_info)
        vifs = networks.served(instance, network_info)
        self.builder.build_moved(context, instance, carrier, vifs, power_on)

    def confirm_migration(
        self,
        context: "nova_context.RequestContext",
        migration: "objects.Migration",
        instance: "objects.Instance",
        network_info: _Any,
    ) -> None:
        """Remove the container of before.

        :raises errors.EngineRefused, errors.EngineUnavailable: it may still be here
        """
        carriers.note_confirmation(instance.uuid)
        self.sources.remove(instance.uuid)
        carriers.discard(self.engine, instance.uuid, context)
        if migration.source_compute != migration.dest_compute:
            self.moves.leave(instance)

    def finish_revert_migration(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        migration: "objects.Migration",
        block_device_info: _Any = None,
        power_on: bool = True,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Have the container of before be that of the instance again.

        Nova calls this, too, where nova-compute died while it sent the files.

        :raises nova.exception.NovaException: it is not, or does not start
        """
        self.sources.put_back(instance.uuid)
        carriers.discard(self.engine, instance.uuid, context)
        if not self._has_its_devices(instance):
            self._remake(context, instance, network_info, power_on)
        elif power_on:
            self._start(instance, network_info)
        reverts.end(instance.uuid)  # of a resize on this host

    def _remake(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        power_on: bool,
    ) -> None:
        """Make the container of an instance anew of its own files.

        A revert on one host erases the region, and may burn another one.
        """
        carrier = self.moves.send(context, instance, local=True)
        self.sources.set_aside(instance.uuid)
        vifs = networks.served(instance, network_info)
        self.builder.build_moved(context, instance, carrier, vifs, power_on)
        self.sources.remove(instance.uuid)

    def _undo(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        runs: bool,
    ) -> None:
        """Bring back what a failed move has changed; the audit goes on where this fails.

        :param runs: whether the container ran before
        """
        try:
            self.sources.put_back(instance.uuid)
            carriers.discard(self.engine, instance.uuid, context)
            if runs:
                self._check_region(instance)
                self._start(instance, network_info)
        except Exception as e:  # the reason of the failure is for the user, not this one
            LOG.warning("It is not started again: %s", e, instance=instance)


def _stays_here(context: "nova_context.RequestContext", instance: "objects.Instance") -> bool:
    """Whether the new host of an instance is the one that it is on."""
    migration = objects.Migration.get_by_id(context, instance.migration_context.migration_id)
    return bool(migration.source_compute == migration.dest_compute)


def _refused(error: Exception) -> exception.InstanceFaultRollback:
    if not isinstance(error, errors.NotMoved):
        message = error.message if isinstance(error, exception.NovaException) else str(error)
        error = errors.NotMoved(getattr(error, "reason", message))
    return exception.InstanceFaultRollback(inner_exception=error)
