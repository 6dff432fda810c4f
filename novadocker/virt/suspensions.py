# SPDX-License-Identifier: Apache-2.0
"""Suspends and resumes instances, and keeps the memory of those that are shelved."""

import typing

from nova import exception
from nova.compute import task_states
from oslo_log import log as logging

from novadocker import errors, live_suspend
from novadocker.virt import power

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)

_Any = typing.Any


class SuspendActions(power.PowerActions):
    """The part of a driver that keeps the memory of instances that do not run.

    An InstanceFaultRollback lets Nova put the server back to the state that it had.

    :ivar suspensions: of this host's containers
    """

    suspensions: live_suspend.Suspensions

    def suspend(self, context: "nova_context.RequestContext", instance: "objects.Instance") -> None:
        """Dump the memory of the container, and end it with its network.

        :raises nova.exception.InstanceFaultRollback: with the reason; it goes on
        """
        try:
            self.suspensions.suspend(instance)
        except (errors.NotSuspended, errors.NoContainer) as e:
            raise exception.InstanceFaultRollback(inner_exception=e) from e
        self.network.down(instance)

    def power_off(
        self, instance: "objects.Instance", timeout: int = 0, retry_interval: int = 0
    ) -> None:
        """Stop the container; one that is shelved with its memory is ended by the snapshot.

        Nova stops a server before it makes the image of a shelving. If that failed, the empty image
        would stay in Glance; `snapshot` removes it.
        """
        if instance.task_state != task_states.SHELVING or not self.suspensions.keeps_memory(
            instance
        ):
            super().power_off(instance, timeout, retry_interval)

    def power_on(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        *others: _Any,
        **more: _Any,
    ) -> None:
        """Start the container; one that was shelved on this host has its memory again."""
        with self.suspensions.restored(instance):
            super().power_on(context, instance, *others, **more)

    def start_again(self, instance: "objects.Instance") -> None:
        """Start a container whose action failed; see PowerActions. It has its memory again."""
        with self.suspensions.restored(instance):
            super().start_again(instance)

    def resume(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Restore the container from its memory, with its ports.

        :raises nova.exception.InstanceFaultRollback: with the reason; the memory is where it was
        """
        reasons = (errors.NotResumed, errors.NoContainer, errors.NoLiveImage, errors.EngineRefused)
        try:
            self._check_region(instance)
            container = self.suspensions.check(instance)
        except (*reasons, errors.EngineUnavailable, exception.InstancePowerOnFailure) as e:
            raise exception.InstanceFaultRollback(inner_exception=e) from e
        try:
            with self.suspensions.resumed(container):
                self._start(instance, network_info, renew=False)
        except (*reasons, exception.InstancePowerOnFailure) as e:
            self.network.down(instance)
            raise exception.InstanceFaultRollback(inner_exception=e) from e
