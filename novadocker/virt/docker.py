# SPDX-License-Identifier: Apache-2.0
"""The virt driver: Nova's interface over the modules of novadocker."""

import typing

from nova import exception
from nova.compute import task_states
from nova.virt import driver
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.instance import background
from fpga_hooks.instance import guests as fpga_guests
from fpga_hooks.placement import inventory
from fpga_nova import options as fpga_options
from novadocker import (
    builder,
    carriers,
    clone_file,
    config_drive,
    containers,
    errors,
    guests,
    host,
    image_request,
    images,
    live_bless,
    live_host,
    live_suspend,
    moves,
    options,
    privileges,
    request,
    reverts,
    root_disk,
    snapshots,
    sources,
    state,
)
from novadocker.engine import Engine
from novadocker.network import warmup
from novadocker.network.network import Network
from novadocker.network.ports import Ports
from novadocker.virt import cache, networks, queries, unserved
from novadocker.virt import moves as move_actions
from novadocker.virt import snapshots as snapshot_actions
from novadocker.virt import suspensions as suspend_actions

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects
    from nova.compute import provider_tree as nova_provider_tree

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

options.register_opts(CONF)
fpga_options.register_opts(CONF)

_Any = typing.Any


class DockerDriver(
    move_actions.MoveActions,
    snapshot_actions.SnapshotActions,
    suspend_actions.SuspendActions,
    networks.NetworkActions,
    cache.CacheActions,
    queries.Queries,
    unserved.UnservedActions,
):
    """Runs each instance as a container of the Docker Engine of the host.

    Only `get_info` raises InstanceNotFound. Nova reads that as "the user deleted it meanwhile" from
    any other method, and leaves the server as it is.
    """

    capabilities: typing.ClassVar[dict[str, bool]] = {
        **driver.ComputeDriver.capabilities,
        # Glance has a docker image with disk format raw.
        "supports_image_type_raw": True,
        "has_imagecache": True,
        "supports_attach_interface": True,
        # Where the host has live images; others refuse it with the reason.
        "supports_suspend": True,
        # A container is made of its image and its region; Nova brings both to the new host.
        "supports_evacuate": True,
    }

    def __init__(self, virtapi: _Any) -> None:
        super().__init__(virtapi)
        self.engine = Engine()
        self.containers = containers.Containers(self.engine)
        self.network = Network(self.engine, virtapi)
        self.snapshots = snapshots.Snapshots(self.engine, self.containers)
        self.live = live_host.LiveHost(self.engine)
        self.blessings = live_bless.Blessings(self.containers, self.snapshots, self.live)
        self.suspensions = live_suspend.Suspensions(
            self.containers, self.snapshots.pauses, self.live
        )
        self.sources = sources.Sources(self.engine, self.containers)
        self.moves = moves.Moves(
            self.engine, self.containers, self.sources, self.network, self.snapshots
        )
        self.builder = builder.Builder(self.engine, self.containers, self.network, self.live)
        fpga_guests.machine.register(guests.Probe(self.engine))
        background.burns.awaited_by_driver = True
        self._resources: dict[str, _Any] = {}

    # -- the service

    def init_host(self, host: str) -> None:
        """Wait a while for the engine; go on without it, so that an operator sees this host.

        :raises oslo_config.cfg.ConfigFileValueError: ``[docker] capabilities`` has what no
            container may have
        """
        privileges.report()
        images.sweep()
        warmup.start()
        try:
            self.engine.wait(CONF.docker.start_timeout)
            info = self.engine.info()
            root_disk.report(info)
            privileges.check_engine(info)
        except errors.NO_ANSWER as e:
            LOG.error("Host %s cannot run containers until this is mended: %s", host, e.message)

    # -- the life of an instance

    def prepare_for_spawn(self, instance: "objects.Instance") -> None:
        """A build begins on this host."""
        state.begin(instance.uuid)

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
        """Make the container of an instance and start it; nothing stays of one that fails."""
        request.check(instance, injected_files, block_device_info)
        if instance.task_state == task_states.REBUILD_SPAWNING:
            # The old container is gone; a port of somebody's must not keep the new one away.
            found = Ports.known(networks.served(instance, network_info))
        else:
            found = networks.required(instance, network_info)
        try:
            self.builder.build(context, instance, image_meta, found, power_on)
        except errors.PlugNotReported as e:
            # Nova's other drivers do not have each further host wait as long, either.
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason=e.message
            ) from e

    def check_rebuild(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """See that a container can be made of the image, while the old one is still there.

        :raises nova.exception.NovaException: the reason why none can
        """
        image_request.of(instance)
        self.builder.check_image(context, instance)

    def rebuild(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
        injected_files: _Any,
        *_others: _Any,
        **_more: _Any,
    ) -> typing.NoReturn:
        """Refuse what cannot be rebuilt, while the old container is still there.

        :raises nova.exception.InstanceFaultRollback: the reason; the server stays as it is
        :raises NotImplementedError: it can be rebuilt, and Nova does that itself
        """
        try:
            request.check(instance, injected_files, None)
        except errors.NotServed as e:
            raise exception.InstanceFaultRollback(inner_exception=e) from e
        raise NotImplementedError

    def destroy(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        network_info: _Any,
        block_device_info: _Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Remove the container of an instance with its network; none is as good.

        At a revert on one host, the container of before stays.

        :raises errors.EngineUnavailable: the engine does not answer, and a container may live on
        """
        reverted = instance.task_state == task_states.RESIZE_REVERTING
        if reverted:
            reverts.begin(instance.uuid)
        container = self.suspensions.container_of(instance.uuid)
        try:
            if not self.containers.remove(instance.uuid):
                LOG.info("There is no container to remove", instance=instance)
            if not reverted:
                self.sources.remove(instance.uuid)
        except errors.EngineUnavailable:
            if not state.certainly_none(instance.uuid):
                raise
            state.forget(instance.uuid)
            LOG.info("No container was ever made, so none is removed", instance=instance)
        if not reverted:
            reverts.end(instance.uuid)
        if container:
            self.suspensions.forget(container)
        config_drive.remove(instance.uuid)
        clone_file.remove(instance.uuid)
        self.network.remove(instance)
        carriers.discard(self.engine, instance.uuid, context)

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

    # -- the host

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        """This host is the only node."""
        return [CONF.host]

    def get_available_resource(self, nodename: str) -> dict[str, _Any]:
        """What the host has.

        :raises errors.EngineUnavailable: the engine does not answer; Nova logs it and keeps what it
            knew
        """
        self.watch()
        self._resources = host.resources(self.engine.info())
        self.live.look()
        self.snapshots.recover()  # each audit comes here, the first at the end of the start
        self.moves.recover()
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
        :raises nova.exception.ReshapeNeeded: see fpga_hooks.placement.inventory
        """
        known = provider_tree.data(nodename).inventory
        ours = host.inventory(
            self._resources or self.get_available_resource(nodename),
            self._get_allocation_ratios(known),
            self._get_reserved_host_disk_gb_from_config(),
        )
        provider_tree.update_inventory(nodename, {**known, **ours})
        self.live.update_traits(provider_tree, nodename)
        inventory.update_provider_tree(provider_tree, nodename, allocations)

    def get_host_ip_addr(self) -> str:
        """The address that Nova is told to use."""
        return str(CONF.my_ip)

    def get_host_uptime(self) -> str:
        """How long the host is up."""
        return host.uptime()
