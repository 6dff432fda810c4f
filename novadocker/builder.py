# SPDX-License-Identifier: Apache-2.0
"""Makes the containers of instances, from their images and with the devices of their regions."""

import contextlib
import dataclasses
import typing

from nova import exception
from oslo_log import log as logging

from fpga_hooks.instance import devices, image_properties
from novadocker import (
    authorized_keys,
    carriers,
    clone_file,
    config_drive,
    errors,
    image_request,
    images,
    limits,
    live_host,
    live_launch,
    privileges,
    request,
    root_disk,
)
from novadocker.carriers import Carrier
from novadocker.containers import Containers
from novadocker.engine import Engine
from novadocker.network.network import Network
from novadocker.network.ports import Ports

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects
    from nova.network import model

LOG = logging.getLogger(__name__)


class Source(typing.NamedTuple):
    """What a container is made of.

    :ivar image_id: in the engine
    :ivar command: None for the image's own
    :ivar live: what it is to be restored from, if its image is a live one
    """

    image_id: str
    command: list[str] | None
    live: live_launch.Launch | None = None


class Builder:
    """Makes containers in one engine.

    :param containers: where they are made
    :param network: what makes their networks
    :param live: whether they can be suspended
    """

    def __init__(
        self, engine: Engine, containers: Containers, network: Network, live: live_host.LiveHost
    ) -> None:
        self._engine = engine
        self._live = live
        self._containers = containers
        self._network = network

    def check_image(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """Bring an instance's image to the engine and see that its container can be made of it.

        :raises nova.exception.NovaException: the reason why it cannot
        """
        image_meta = instance.image_meta
        live_launch.check_host(self._live, image_meta)
        image_id = images.ensure(self._engine, context, image_meta)
        request.command_of(image_meta, images.config_of(self._engine, image_id))
        live_launch.check_owner(context, instance, image_meta)

    def build(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
        ports: Ports,
        power_on: bool = True,
    ) -> None:
        """Make the container of an instance; nothing stays of one that fails.

        The image is fetched, and the region burnt, while Neutron allocates the ports. The network
        is made beside the container, which starts once Neutron has it active.

        :param ports: its ports
        :raises nova.exception.NovaException: the reason why there is none
        """
        asked = image_request.of(instance)  # before anything is made

        def fetch() -> Source:
            live_launch.check_host(self._live, image_meta)
            image_id = images.ensure(self._engine, context, image_meta)
            command = request.command_of(image_meta, images.config_of(self._engine, image_id))
            return Source(image_id, command, live_launch.of(context, instance, image_meta))

        self._make(instance, asked, fetch, ports, power_on)

    def build_moved(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        carrier: Carrier,
        vifs: "typing.Sequence[model.VIF]",
        power_on: bool = True,
    ) -> None:
        """Make the container of an instance that moves here; nothing stays of one that fails.

        :param carrier: has its files
        :param vifs: its ports
        :raises nova.exception.NovaException: the reason why there is none
        """
        # The user's key, if the image wants one, is among the files.
        asked = dataclasses.replace(image_request.of(instance), authorized_keys=None)

        def fetch() -> Source:
            return Source(carriers.fetch(self._engine, context, carrier), carrier.command)

        self._make(instance, asked, fetch, Ports.known(vifs), power_on)
        carriers.note_arrival(instance.uuid)
        carriers.discard(self._engine, instance.uuid, context)

    def build_anew(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        vifs: "typing.Sequence[model.VIF]",
    ) -> None:
        """Make and start the container of an instance whose container was removed.

        What the old one wrote is gone. The image is the one in the engine if it is still there:
        Glance may not have it any more, and a start of nova-compute has no token to ask it with.

        After a move that failed on this host, it is made of what the source host sent.

        :raises nova.exception.NovaException: the reason why there is none
        """
        carrier = carriers.expected(instance.uuid)
        if carrier:
            LOG.info("Its move to this host goes on", instance=instance)
            self.build_moved(context, instance, carrier, vifs)
            return
        image_meta = instance.image_meta
        asked = image_request.of(instance)
        try:
            image_properties.of_instance(instance, "os_command_line")
        except image_properties.CutError as e:
            raise errors.BadImage(image_meta.id, f"{e}; rebuild the server") from e
        LOG.warning("Its container is gone; it is made anew from its image", instance=instance)

        def find() -> Source:
            image_id = self._in_engine(image_meta.id) or images.ensure(
                self._engine, context, image_meta
            )
            command = request.command_of(image_meta, images.config_of(self._engine, image_id))
            return Source(image_id, command)

        self._make(instance, asked, find, Ports.known(vifs))

    def _make(
        self,
        instance: "objects.Instance",
        asked: image_request.ImageRequest,
        source: typing.Callable[[], Source],
        ports: Ports,
        power_on: bool = True,
    ) -> None:
        with self._network.undone_on_failure(instance, ports), contextlib.ExitStack() as stack:
            with self._network.built(instance, ports):
                found = source()
                options = self._options(instance, asked, found, ports)
                stack.enter_context(self._nothing_stays_of(instance))
                self._create(instance, asked, found, options, ports)
            if power_on:
                live_launch.start(self._containers, self._live, instance, found.live)
            elif ports.all():
                self._network.down(instance)

    def _options(
        self,
        instance: "objects.Instance",
        asked: image_request.ImageRequest,
        source: Source,
        ports: Ports,
    ) -> dict[str, typing.Any]:
        """The arguments of the SDK's ``containers.create``; waits for the region and the ports."""
        passed = devices.for_instance(instance)
        request.check_devices(passed)
        joined = self._network.joined(instance, ports)
        options = request.container_options(
            instance, source.image_id, source.command, passed, joined
        )
        options |= self._confinement(instance, asked) | {"environment": dict(asked.environment)}
        # Without a mark, the runtime of live images is that of all others.
        if source.live or self._live.refusal is None:
            options["runtime"] = live_launch.RUNTIME
        return options

    def _create(
        self,
        instance: "objects.Instance",
        asked: image_request.ImageRequest,
        source: Source,
        options: dict[str, typing.Any],
        ports: Ports,
    ) -> None:
        if config_drive.is_required(instance):
            config_drive.write(instance, ports.all())
            options["mounts"].append(config_drive.mount(instance.uuid))
        # A clone has the mounts of its source.
        if "runtime" in options and (source.live is None or source.live.has_file):
            clone_file.write(instance, source.live.origin if source.live else clone_file.NONE)
            options["mounts"].append(clone_file.mount(instance.uuid))
        self._containers.create(instance.uuid, options)
        if asked.authorized_keys:
            authorized_keys.put(self._engine, instance, asked.authorized_keys)

    def _confinement(
        self, instance: "objects.Instance", asked: image_request.ImageRequest
    ) -> dict[str, typing.Any]:
        """Limits and privileges among the arguments of the SDK's ``containers.create``."""
        info = self._engine.info()
        privileges.check_engine(info)
        return {
            # The engine may be confined to fewer processors than the host has.
            **limits.options(instance.flavor, int(info["NCPU"])),
            **root_disk.options(instance.flavor, info),
            **privileges.options(asked.read_only),
        }

    def _in_engine(self, image_id: str) -> str | None:
        """The id in the engine of an image in Glance, if exactly one is there."""
        repository = f"{images.REPOSITORY}/{image_id}"
        with self._engine.asked_to("list images") as client:
            found = client.api.images(name=repository, quiet=True)
        return str(found[0]) if len(found) == 1 else None

    @contextlib.contextmanager
    def _nothing_stays_of(self, instance: "objects.Instance") -> typing.Iterator[None]:
        """Remove the container of an instance when what is done with it fails."""
        try:
            yield
        except BaseException:
            try:
                self._containers.remove(instance.uuid)
                config_drive.remove(instance.uuid)
                clone_file.remove(instance.uuid)
            except exception.NovaException as e:
                # Nova destroys the instance next, which tries again; it reports the first error.
                LOG.warning("Its container is not removed yet: %s", e.message, instance=instance)
            raise
