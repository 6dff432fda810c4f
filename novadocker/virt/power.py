# SPDX-License-Identifier: Apache-2.0
"""Starts, stops and pauses the containers of instances, as Nova's driver interface asks for it."""

import typing

from nova import exception
from nova.compute import power_state
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.instance import devices
from novadocker import builder, containers, errors, request
from novadocker.network import network
from novadocker.virt import networks, unserved

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_Any = typing.Any


class PowerActions:
    """The part of a driver that changes the power state.

    :ivar containers: those of this host
    :ivar builder: makes one that is gone
    :ivar network: their networks
    """

    containers: containers.Containers
    builder: builder.Builder
    network: network.Network

    def power_on(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Start the container, if its devices are still those of the instance's region.

        A container that somebody removed is made anew, as libvirt's driver does with a domain.
        """
        try:
            self._check_region(instance)
            self._start(instance, network_info)
        except errors.NoContainer:
            self._build_anew(context, instance, network_info)

    def power_off(
        self, instance: "objects.Instance", timeout: int = 0, retry_interval: int = 0
    ) -> None:
        """Stop the container, at once if no time is given to it; done, too, if there is none.

        Its network ends with it, so that nothing answers for a server that is stopped.
        """
        if unserved.stops_in_vain(instance):
            LOG.info("The container runs on: %s is refused", instance.task_state, instance=instance)
            return
        try:
            self.containers.stop(instance.uuid, min(timeout, CONF.docker.stop_timeout))
        except errors.NoContainer:
            LOG.warning("There is no container to stop", instance=instance)
        self.network.down(instance)

    def reboot(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        reboot_type: str,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Stop the container and start it again; a hard reboot gives it no time to end, and makes
        its network anew.

        A container that somebody removed is made anew, by a soft reboot as well. One that may not
        start again is not stopped.
        """
        seconds = CONF.docker.stop_timeout if reboot_type == "SOFT" else 0
        try:
            self._check_region(instance)
            self.containers.stop(instance.uuid, seconds)
            if reboot_type != "SOFT":
                self.network.down(instance)
            self._start(instance, network_info)
        except errors.NoContainer:
            self._build_anew(context, instance, network_info)

    def resume_state_on_host_boot(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """The host was booted: start the container if it does not run.

        Nova sets an instance to ERROR if this raises. While its power state is not known nothing
        is done: Nova's next look at the engine finds what it is.
        """
        try:
            runs = self.containers.power_state(instance.uuid) in (
                power_state.RUNNING,
                power_state.PAUSED,
            )
        except errors.NoContainer:
            runs = False
        except errors.NO_ANSWER as e:
            LOG.error("It is not started, because its state is unknown: %s", e, instance=instance)
            return
        if not runs:
            self.power_on(context, instance, network_info)

    def pause(self, instance: "objects.Instance") -> None:
        """Freeze the container."""
        self.containers.pause(instance.uuid)

    def unpause(self, instance: "objects.Instance") -> None:
        """Let a frozen container go on."""
        self.containers.unpause(instance.uuid)

    def get_console_output(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> str:
        """The end of what the container wrote, a character for each byte.

        Nova's manager encodes text as Latin-1, which gives the bytes again.

        :raises nova.exception.ConsoleNotAvailable: there is no container
        :raises nova.exception.InstanceNotReady: the engine does not give it now
        """
        try:
            return self.containers.console(instance.uuid).decode("latin-1")
        except errors.NoContainer as e:
            raise exception.ConsoleNotAvailable from e
        except errors.NO_ANSWER as e:
            LOG.error("No console: %s", e.message, instance=instance)
            raise exception.InstanceNotReady(instance_id=instance.uuid) from e

    def _check_region(self, instance: "objects.Instance") -> None:
        """Refuse a start that would give the container another instance's devices.

        While a container is stopped, its region may have been erased, and programmed for another.
        """
        region_devices = {
            (device.host_path, device.container_path) for device in devices.for_instance(instance)
        }
        if request.devices_in(self.containers.attributes(instance.uuid)) != region_devices:
            raise exception.InstancePowerOnFailure(
                reason="the container was made with other devices than its FPGA region has now; "
                "rebuild the server"
            )

    def _start(self, instance: "objects.Instance", network_info: _Any) -> None:
        """Start the container with its ports.

        One that was made without any has no sandbox: it gets those that came later once it runs.
        """
        vifs = networks.served(instance, network_info)
        joins = request.joins_a_network(self.containers.attributes(instance.uuid))
        if joins:
            self.network.up(instance, vifs)
        self.containers.start(instance.uuid)
        if vifs and not joins:
            self.network.plug_or_log(instance, vifs)

    def _build_anew(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
    ) -> None:
        self.builder.build_anew(context, instance, networks.served(instance, network_info))
