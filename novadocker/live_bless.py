# SPDX-License-Identifier: Apache-2.0
"""Makes live images: snapshots with the memory of a container that goes on.

The container stands still while root dumps its memory and, beside that, the engine commits its
files: both are of one moment. Root's program is ready before, and waits for the pause. Everything
else, such as the signature and the upload, comes afterwards.
"""

import pathlib
import typing

from nova.compute import task_states
from oslo_config import cfg
from oslo_utils import strutils

from fpga_hooks.instance import bitstreams
from fpga_nova.container_image import reading
from novadocker import errors, live_store, snapshot_images
from novadocker.containers import Containers
from novadocker.live import manifest
from novadocker.live_host import LiveHost
from novadocker.snapshots import Snapshots

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

CONF = cfg.CONF


def requested(properties: typing.Mapping[str, typing.Any]) -> bool:
    """Whether the properties of an empty image ask for a live one."""
    return bool(strutils.bool_from_string(properties.get(live_store.PROPERTY)))


def is_mapped(properties: typing.Mapping[str, typing.Any]) -> bool:
    """Whether the properties of an empty image ask for memory that its servers share.

    Nova copies the properties of a server's image, so that an image may ask for all of its servers.

    :raises errors.NoSnapshot: the property is something else
    """
    value = properties.get(live_store.MEMORY, live_store.COPIED)
    if value not in (live_store.COPIED, live_store.MAPPED):
        raise errors.NoSnapshot(
            f"the property {live_store.MEMORY} is '{value}', needs {live_store.COPIED} or "
            f"{live_store.MAPPED}"
        )
    return bool(value == live_store.MAPPED)


class Blessings:
    """Live images of the containers of one engine.

    :param containers: what they are made of
    :param snapshots: what makes images of their files
    :param host: what dumps their memory
    """

    def __init__(self, containers: Containers, snapshots: Snapshots, host: LiveHost) -> None:
        self._containers, self._snapshots, self._host = containers, snapshots, host

    def take(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_id: str,
        update_task_state: typing.Callable[..., None],
        mapped: bool = False,
    ) -> None:
        """Upload a live image of a container that runs.

        :param image_id: of the empty image in Glance
        :param mapped: whether the servers of the image are to share its memory; see `is_mapped`
        :param update_task_state: Nova's, see nova.virt.driver.ComputeDriver.snapshot
        :raises nova.exception.NovaException: the reason why there is none; see Snapshots.take
        """
        self._check_host()
        attributes = self._containers.attributes(instance.uuid)
        if attributes["State"]["Status"] != "running":
            raise errors.NoSnapshot("only a server that runs has a live image; start it first")
        container = attributes["Id"]

        def above() -> reading.Layer | None:
            return self._host.map(container) if mapped else None

        try:
            self._upload(
                context,
                instance,
                image_id,
                update_task_state,
                attributes,
                work=self._host.dumped(container, bitstreams.owner(instance)),
                above=above,
            )
        finally:
            self._host.discard(container)

    def take_suspended(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_id: str,
        update_task_state: typing.Callable[..., None],
    ) -> None:
        """Upload a live image of a container that was suspended, whose memory stays where it is.

        :raises nova.exception.NovaException: see `take`
        """
        self._check_host()
        attributes = self._containers.attributes(instance.uuid)
        self._upload(context, instance, image_id, update_task_state, attributes)

    def _check_host(self) -> None:
        self._host.look()
        if self._host.refusal is not None:
            raise errors.NoSnapshot(f"its host has no live images: {self._host.refusal}")

    def _upload(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_id: str,
        update_task_state: typing.Callable[..., None],
        attributes: dict[str, typing.Any],
        **how: typing.Any,
    ) -> None:
        """Upload a live image.

        :param attributes: of the container
        :param how: see Snapshots.archive
        """
        self._snapshots.check(instance, attributes)
        changes = self._snapshots.changes(attributes)
        digests = bitstreams.digests(instance)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        try:
            with self._snapshots.archive(instance, image_id, changes, **how) as found:
                archive = self._complete(instance, attributes["Id"], found[0], digests)
                update_task_state(
                    task_state=task_states.IMAGE_UPLOADING,
                    expected_state=task_states.IMAGE_PENDING_UPLOAD,
                )
                command = attributes["Config"]["Cmd"]
                snapshot_images.upload(context, instance, image_id, archive, command, live=True)
        except errors.NoLiveImage as e:
            raise errors.NoSnapshot(e.reason) from e

    def _complete(
        self,
        instance: "objects.Instance",
        container: str,
        image: pathlib.Path,
        digests: tuple[str, ...],
    ) -> pathlib.Path:
        """The archive with the memory beside the files."""
        digest = manifest.digest_of(image)
        project = instance.project_id or ""
        dump = self._host.sign(container, project, instance.uuid, digest, digests)
        archive = image.with_name("live.tar")
        # Before as much again is written.
        if live_store.size(pathlib.Path(dump), image) > CONF.docker.image_max_size << 20:
            raise errors.NoSnapshot(
                f"it is larger than {CONF.docker.image_max_size} MiB ([docker] image_max_size), so "
                "that no server could be made of it"
            )
        live_store.write(archive, pathlib.Path(dump), image)
        image.unlink()
        return archive
