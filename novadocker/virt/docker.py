# SPDX-License-Identifier: Apache-2.0
"""The virt driver: Nova's interface over the modules of novadocker."""

import contextlib
import typing

from nova import exception
from nova.compute import power_state
from nova.virt import driver, hardware
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import burns, devices, guests, placement
from fpga_hooks import conf as fpga_conf
from novadocker import conf, containers, errors, host, image_cache, images, request, state
from novadocker.engine import Engine

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects
    from nova.compute import provider_tree as nova_provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

conf.register_opts(CONF)
fpga_conf.register_opts(CONF)

_Any = typing.Any


class DockerDriver(driver.ComputeDriver):  # type: ignore[misc]
    """Runs each instance as a container of the Docker Engine of the host.

    What is not defined here is not served, and Nova tells the user so.
    """

    capabilities: typing.ClassVar[dict[str, bool]] = {
        **driver.ComputeDriver.capabilities,
        # Glance has a docker image with disk format raw.
        "supports_image_type_raw": True,
        "has_imagecache": True,
    }

    def __init__(self, virtapi: _Any) -> None:
        super().__init__(virtapi)
        self.engine = Engine()
        self.containers = containers.Containers(self.engine)
        guests.known_by(self.containers.uuids)
        burns.driver_waits()
        self._resources: dict[str, _Any] = {}

    # -- the service

    def init_host(self, host: str) -> None:
        """Wait a while for the engine; go on without it, so that an operator sees this host."""
        images.sweep()
        try:
            self.engine.wait(CONF.docker.start_timeout)
        except errors.EngineUnavailable as e:
            LOG.error("Host %s cannot run containers until this is mended: %s", host, e.message)

    def list_instances(self) -> list[str]:
        """The names of the containers."""
        return [request.name_of(uuid) for uuid in self.containers.uuids()]

    def list_instance_uuids(self) -> list[str]:
        """The instances that have a container."""
        return self.containers.uuids()

    def instance_exists(self, instance: "objects.Instance") -> bool:
        """Whether an instance has a container."""
        try:
            self.containers.attributes(instance.uuid)
        except exception.InstanceNotFound:
            return False
        return True

    def get_info(
        self, instance: "objects.Instance", use_cache: bool = True
    ) -> hardware.InstanceInfo:
        """The power state; NOSTATE while the engine does not answer.

        Nova asks this for each instance when it starts, and would not start if it raised.

        :raises nova.exception.InstanceNotFound: there is no container
        """
        try:
            return hardware.InstanceInfo(state=self.containers.power_state(instance.uuid))
        except errors.EngineUnavailable as e:
            LOG.error("Power state unknown: %s", e.message, instance=instance)
            return hardware.InstanceInfo(state=power_state.NOSTATE)

    # -- the life of an instance

    def spawn(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
        injected_files: _Any,
        admin_password: str | None,
        allocations: _Any,
        network_info: _Any = None,
        block_device_info: _Any = None,
        power_on: bool = True,
        accel_info: _Any = None,
    ) -> None:
        """Make the container of an instance and start it; nothing is left of one that fails."""
        request.check(instance, injected_files, network_info, block_device_info)
        if instance.user_data:
            LOG.warning("User data is not given to containers", instance=instance)
        image_id = images.ensure(self.engine, context, image_meta)
        command = request.command_of(image_meta, images.config_of(self.engine, image_id))
        passed = devices.for_instance(instance)
        request.check_devices(passed)
        options = request.container_options(instance, image_id, command, passed, host.cpu_count())
        with self._nothing_left_of(instance):
            self.containers.create(instance.uuid, options)
            if power_on:
                self.containers.start(instance.uuid)

    def destroy(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        block_device_info: _Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Remove the container of an instance; none is as good.

        :raises errors.EngineUnavailable: the engine does not answer, and a container may live on
        """
        try:
            if not self.containers.remove(instance.uuid):
                LOG.info("There is no container to remove", instance=instance)
        except errors.EngineUnavailable:
            if state.may_exist(instance.uuid):
                raise
            LOG.info("No container was ever made, so none is removed", instance=instance)

    def cleanup(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        block_device_info: _Any = None,
        destroy_disks: bool = True,
        migrate_data: _Any = None,
        destroy_vifs: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Remove what is left of an instance: its container."""
        self.destroy(context, instance, network_info)

    # -- power

    def power_on(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Start the container, if its devices are still those of the instance's region."""
        self._check_region(instance)
        self.containers.start(instance.uuid)

    def power_off(
        self, instance: "objects.Instance", timeout: int = 0, retry_interval: int = 0
    ) -> None:
        """Stop the container; at once if no time is given to it."""
        self.containers.stop(instance.uuid, min(timeout, CONF.docker.stop_timeout))

    def reboot(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        reboot_type: str,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """Stop the container and start it again; a hard reboot gives it no time to end."""
        seconds = CONF.docker.stop_timeout if reboot_type == "SOFT" else 0
        self.power_off(instance, timeout=seconds)
        self.power_on(context, instance, network_info)

    def resume_state_on_host_boot(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> None:
        """The host was booted: start the container if it does not run."""
        if self.containers.power_state(instance.uuid) not in (
            power_state.RUNNING,
            power_state.PAUSED,
        ):
            self.power_on(context, instance, network_info)

    def pause(self, instance: "objects.Instance") -> None:
        """Freeze the container."""
        self.containers.pause(instance.uuid)

    def unpause(self, instance: "objects.Instance") -> None:
        """Let a frozen container go on."""
        self.containers.unpause(instance.uuid)

    def check_can_live_migrate_destination(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        *_others: _Any,
        **_more: _Any,
    ) -> typing.NoReturn:
        """Refuse; the container and its region stay as they are.

        :raises nova.exception.MigrationPreCheckError: always
        """
        raise exception.MigrationPreCheckError(
            reason="containers are not live migrated; nothing was changed"
        )

    def get_console_output(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> bytes:
        """The end of what the container wrote."""
        return self.containers.console(instance.uuid)

    # -- networks

    def plug_vifs(self, instance: "objects.Instance", network_info: _Any) -> None:
        """Nothing; an instance with a network is not built.

        :raises errors.NotServed: there is a network
        """
        request.check(instance, None, network_info, None)

    def unplug_vifs(self, instance: "objects.Instance", network_info: _Any) -> None:
        """Nothing was plugged."""

    # -- the host

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        """This host is the only node."""
        return [CONF.host]

    def get_available_resource(self, nodename: str) -> dict[str, _Any]:
        """What the host has.

        :raises errors.EngineUnavailable: the engine does not answer; Nova logs it and keeps what it
            knew
        """
        self._resources = host.resources(self.engine.info())
        return dict(self._resources)

    def update_provider_tree(
        self,
        provider_tree: "nova_provider_tree.ProviderTree",
        nodename: str,
        allocations: _Any = None,
    ) -> None:
        """Set the inventory of the host's own provider, and what is told of its FPGA regions.

        Other children, and traits that are not of regions, are left alone.

        Nova calls this within a claim, too, and an exception would leave what was claimed counted
        until the next audit; so what the last audit found is told again.

        :raises errors.EngineUnavailable: the engine does not answer and never did
        :raises nova.exception.ReshapeNeeded: see fpga_hooks.placement.update_provider_tree
        """
        known = provider_tree.data(nodename).inventory
        ours = host.inventory(
            self._resources or self.get_available_resource(nodename),
            self._get_allocation_ratios(known),
            self._get_reserved_host_disk_gb_from_config(),
        )
        provider_tree.update_inventory(nodename, {**known, **ours})
        placement.update_provider_tree(provider_tree, nodename, allocations)

    def get_host_ip_addr(self) -> str:
        """The address that Nova is told to use."""
        return str(CONF.my_ip)

    def get_host_uptime(self) -> str:
        """How long the host is up."""
        return host.uptime()

    def manage_image_cache(
        self, context: "nova_context.RequestContext", all_instances: "objects.InstanceList"
    ) -> None:
        """Remove images that nothing has used for the time in ``[image_cache]``."""
        image_cache.manage(self.engine, all_instances)

    # -- helpers

    def _check_region(self, instance: "objects.Instance") -> None:
        """Refuse a start that would give the container another instance's devices.

        While a container is stopped, its region may have been erased, and programmed for another.
        """
        wanted = {
            (device.host_path, device.container_path) for device in devices.for_instance(instance)
        }
        if request.devices_in(self.containers.attributes(instance.uuid)) != wanted:
            raise exception.InstancePowerOnFailure(
                reason="the container was made with other devices than its FPGA region has now; "
                "rebuild the server"
            )

    @contextlib.contextmanager
    def _nothing_left_of(self, instance: "objects.Instance") -> typing.Iterator[None]:
        """Remove the container of an instance when what is done with it fails."""
        try:
            yield
        except BaseException:
            try:
                self.containers.remove(instance.uuid)
            except exception.NovaException as e:
                # Nova destroys the instance next, which tries again; the first error is told.
                LOG.warning("Its container is not removed yet: %s", e.message, instance=instance)
            raise
