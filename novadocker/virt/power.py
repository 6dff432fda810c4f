# SPDX-License-Identifier: Apache-2.0
"""Starts, stops and pauses the containers of instances, as Nova's driver interface asks for it."""

import typing

from nova import exception
from nova.compute import power_state
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.instance import devices
from novadocker import (
    builder,
    carriers,
    clone_file,
    config_drive,
    containers,
    errors,
    request,
    reverts,
    sources,
)
from novadocker.network import network
from novadocker.virt import networks

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
    :ivar sources: the containers that wait for the end of a move
    """

    sources: sources.Sources
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
        try:
            self.containers.stop(instance.uuid, min(timeout, CONF.docker.stop_timeout))
        except errors.NoContainer:
            LOG.warning("There is no container to stop", instance=instance)
        self.network.down(instance)

    def start_again(self, instance: "objects.Instance") -> None:
        """Start a container that was stopped for the sake of an action that failed.

        :raises errors.NoContainer: there is none
        """
        self._check_region(instance)
        self._start(instance, instance.get_network_info())

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
            self._start(instance, network_info, renew=reboot_type != "SOFT")
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
        """Refuse a start that would give the container another instance's devices."""
        if not self._has_its_devices(instance):
            raise exception.InstancePowerOnFailure(
                reason="the container was made with other devices than its FPGA region has now; "
                "rebuild the server"
            )

    def _has_its_devices(self, instance: "objects.Instance") -> bool:
        """Whether a container was made with the devices that the instance's region has now.

        While a container is stopped, its region may have been erased, and programmed for another.
        """
        region_devices = {
            (device.host_path, device.container_path) for device in devices.for_instance(instance)
        }
        return request.devices_in(self.containers.attributes(instance.uuid)) == region_devices

    def _start(self, instance: "objects.Instance", network_info: _Any, renew: bool = True) -> None:
        """Start the container with its ports.

        One that was made without any has no sandbox: it gets those that came later once it runs.

        :param renew: whether its config drive, if it has one, tells what Nova knows now
        """
        vifs = networks.served(instance, network_info)
        attributes = self.containers.attributes(instance.uuid)
        # What a container has mounted must not be replaced while it runs.
        if renew and config_drive.is_in(attributes) and not attributes["State"]["Running"]:
            config_drive.renew(instance, vifs)
        clone_file.ensure(instance, attributes)
        joins = request.joins_a_network(attributes)
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
        """Start the container of before a move that failed, or else make one."""
        if self.sources.put_back(instance.uuid):
            LOG.warning("Its container of before a move is put back", instance=instance)
            self._check_region(instance)
            self._start(instance, network_info)
            return
        reverts.check(instance.uuid)
        carriers.check_arrival(instance)
        self.builder.build_anew(context, instance, networks.served(instance, network_info))
