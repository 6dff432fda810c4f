# SPDX-License-Identifier: Apache-2.0
"""Takes snapshots of instances, as Nova's driver interface asks for them."""

import typing

from nova import exception
from nova.compute import power_state, task_states, vm_states
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import excutils

from novadocker import errors, images, live_bless, live_suspend, snapshots
from novadocker.virt import power

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_Any = typing.Any


class SnapshotActions(power.PowerActions):
    """The part of a driver that makes images of instances.

    :ivar snapshots: of this host's containers
    :ivar blessings: snapshots with memory
    :ivar suspensions: of those that have their memory on this host
    """

    snapshots: snapshots.Snapshots
    blessings: live_bless.Blessings
    suspensions: live_suspend.Suspensions

    def snapshot(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_id: str,
        update_task_state: _Any,
    ) -> None:
        """Upload an image of an instance, for a snapshot, a backup or a shelving.

        :raises errors.NotShelved: its memory cannot be dumped for the image; it goes on
        :raises nova.exception.NovaException: the reason why there is none; see Snapshots.take
        """
        shelves = instance.task_state == task_states.SHELVING
        try:
            properties = images.IMAGE_API.get(context, image_id).get("properties") or {}
            if shelves and self.suspensions.keeps_memory(instance):
                self._end_with_memory(instance)
            if shelves and self.suspensions.has_memory(instance) and CONF.docker.live_shelve:
                self.blessings.take_suspended(context, instance, image_id, update_task_state)
            elif not shelves and live_bless.requested(properties):
                mapped = live_bless.is_mapped(properties)
                self.blessings.take(context, instance, image_id, update_task_state, mapped)
            else:
                self.snapshots.take(context, instance, image_id, update_task_state)
        except Exception:
            with excutils.save_and_reraise_exception():
                if shelves:
                    self._undo_shelving(context, instance, image_id)

    def _end_with_memory(self, instance: "objects.Instance") -> None:
        """Dump the memory of a container that is shelved, and end it with its network."""
        try:
            self.suspensions.suspend(instance)
        except errors.NotSuspended as e:
            raise errors.NotShelved(e.reason) from e
        self.network.down(instance)

    def _undo_shelving(
        self, context: "nova_context.RequestContext", instance: "objects.Instance", image_id: str
    ) -> None:
        """Do what Nova does after a failed snapshot, but not after a failed shelving: remove the
        image in Glance. An instance that ran before is started again, if it does not run still.
        """
        try:
            images.IMAGE_API.delete(context, image_id)
        except exception.NovaException as e:
            LOG.warning("Image %s stays: %s", image_id, e.message, instance=instance)
        if instance.vm_state != vm_states.ACTIVE:
            return
        try:
            if self.containers.power_state(instance.uuid) != power_state.RUNNING:
                self.start_again(instance)
        except exception.NovaException as e:
            LOG.warning("It is not started again: %s", e.message, instance=instance)
