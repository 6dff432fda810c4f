# SPDX-License-Identifier: Apache-2.0
"""Makes images in Glance of containers.

The engine commits the container to an image of its own, which lasts as long as the snapshot. A
confined process reads what the engine saves of it, under the limits for images that are booted. It
writes the archive that Glance gets: with the settings of the image that the container was made of,
so without what the container got for itself, and without the places of its mounts.
"""

import contextlib
import pathlib
import typing

import docker.errors
from nova.compute import task_states
from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova.confined import folders
from fpga_nova.container_image import reading
from novadocker import errors, images, request, sizes, snapshot_images
from novadocker.containers import Containers
from novadocker.engine import Engine
from novadocker.pauses import Pauses
from novadocker.progress import Progress

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: The engine's own image of a snapshot is in this repository; its tag is the image's id in Glance.
REPOSITORY = "fpga-nova-snapshot"
#: The engine's image has this label, and those of its container.
_LABEL = "org.openstack.nova.snapshot"
#: Where the engine mounts its init; an empty file there is in what the container wrote.
_INIT = "/sbin/docker-init"
_MIB = 1 << 20
#: Bytes of an archive besides its layers.
_ROOM = 64 << 20

_Json = dict[str, typing.Any]
#: What is done beside a commit: it begins before the container stands still.
_Work = typing.ContextManager[None]
#: What makes a further layer, once the container goes on.
_Above = typing.Callable[[], reading.Layer | None]


class Snapshots:
    """Snapshots of the containers of one engine.

    :param containers: what they are made of
    :ivar pauses: of containers whose files or memory are copied
    """

    def __init__(self, engine: Engine, containers: Containers) -> None:
        self._engine = engine
        self._containers = containers
        self.pauses = Pauses(containers)
        #: Instances by the images that are made of them now.
        self._current: dict[str, str] = {}
        #: Whether the engine may have something that a snapshot left.
        self._interrupted = True

    def take(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_id: str,
        update_task_state: typing.Callable[..., None],
    ) -> None:
        """Upload an image of a container that runs, is paused or stopped.

        A container that runs is paused while it is measured and committed.

        :param image_id: of the empty image in Glance
        :param update_task_state: Nova's, see nova.virt.driver.ComputeDriver.snapshot
        :raises errors.NoContainer: there is none
        :raises errors.NoSnapshot: no server could be made of the image, or this host has no room
        :raises errors.EngineUnavailable, errors.EngineRefused: the engine did not give it
        :raises nova.exception.NovaException: Glance did not take it, or Nova wants it no more
        """
        attributes = self._containers.attributes(instance.uuid)
        self.check(instance, attributes)
        changes = self.changes(attributes)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        with self.archive(instance, image_id, changes) as (archive, _layers):
            update_task_state(
                task_state=task_states.IMAGE_UPLOADING,
                expected_state=task_states.IMAGE_PENDING_UPLOAD,
            )
            command = attributes["Config"]["Cmd"]
            snapshot_images.upload(context, instance, image_id, archive, command)

    def changes(self, attributes: _Json) -> reading.Changes:
        """What an image is to have other than the engine's own image of a container.

        Its settings are those of the image that the container was made of.

        :param attributes: of the container
        :raises errors.NoSnapshot: the engine does not have that image
        """
        try:
            settings = images.config_of(self._engine, attributes["Image"])
        except docker.errors.NotFound as e:
            raise errors.NoSnapshot(
                "the Docker Engine has the image of the container no more; copy what you need, and "
                "rebuild the server"
            ) from e
        return reading.Changes(settings, _omitted(attributes))

    @contextlib.contextmanager
    def archive(
        self,
        instance: "objects.Instance",
        image_id: str,
        changes: reading.Changes,
        name: str | None = None,
        work: _Work | None = None,
        above: _Above = lambda: None,
    ) -> typing.Iterator[tuple[pathlib.Path, list[str]]]:
        """The archive of a container, and the digests of its layers.

        :param image_id: in Glance, or what else names the engine's image meanwhile
        :param name: of the image in the archive
        :param work: what is to be done with the container while it stands still
        :param above: gives the layer that the image is to have above those of the container
        :raises errors.NoSnapshot, errors.EngineUnavailable, errors.EngineRefused: see `take`
        """
        with folders.fresh(images.parent(), images.FOLDER) as folder:
            path = folder / "image.tar"
            with _room_reported():
                layers = self._write(instance, image_id, changes, path, name, work, above)
            yield path, layers

    def recover(self) -> None:
        """Undo what interrupted snapshots and suspensions left in the engine, if any."""
        if not self._interrupted and not self.pauses.interrupted():
            return
        try:
            self._remove_images()
            self.pauses.end()
        except errors.NO_ANSWER as e:
            LOG.warning("Interrupted snapshots are looked for again: %s", e.message)
        else:
            self._interrupted = False

    def _remove_images(self) -> None:
        labels = request.own_labels(_LABEL)
        with self._engine.asked_to("list images") as client:
            found = client.api.images(filters={"label": labels})
        for image in found:
            if image["Labels"][_LABEL] not in self._current:
                LOG.info("Image %s of an interrupted snapshot is removed", image["Id"])
                self._remove(image["Id"])

    def check(self, instance: "objects.Instance", attributes: _Json) -> int:
        """See that an image can be made of a container, before anything is copied.

        Nothing bounds what a container writes. The figure is of now, and a lower bound.

        :param attributes: of the container
        :returns: the bytes of its files
        :raises errors.NoSnapshot: it is too large
        """
        size = sizes.quick(self._engine, instance.uuid, attributes["Id"])
        sizes.check(size)
        return size

    def _write(
        self,
        instance: "objects.Instance",
        image_id: str,
        changes: reading.Changes,
        target: pathlib.Path,
        name: str | None,
        work: _Work | None,
        above: _Above,
    ) -> list[str]:
        saved = target.with_name("saved.tar")
        with self._committed(instance, image_id, work) as committed:
            self._save(instance, committed, saved)
        options = CONF.docker
        seconds = options.image_read_timeout
        wanted = reading.Request(images.limits(), name, seconds, changes=changes, above=above())
        try:
            with saved.open("rb") as source, target.open("xb") as file:
                layers = reading.rewrite(source, file, wanted)
        except reading.Refused as e:
            raise errors.NoSnapshot(f"no server could be made of it: {e}") from e
        except reading.NotRead as e:
            raise errors.NoSnapshot(f"it was not read to its end ({e}); try again") from e
        saved.unlink()
        if target.stat().st_size > options.image_max_size * _MIB:
            raise errors.NoSnapshot(
                f"it is larger than {options.image_max_size} MiB ([docker] image_max_size), so "
                "that no server could be made of it; remove some of the server's files"
            )
        return layers

    @contextlib.contextmanager
    def _committed(
        self, instance: "objects.Instance", image_id: str, work: _Work | None = None
    ) -> typing.Iterator[str]:
        """The engine's own image of a container."""
        name = f"{REPOSITORY}:{image_id}"
        LOG.info("Committing the container to %s", name, instance=instance)
        self._current[image_id] = instance.uuid
        try:
            self._commit(instance, image_id, work)
            yield name
        finally:
            try:
                self._remove(name)
            except errors.NO_ANSWER as e:
                LOG.warning("%s is removed later: %s", name, e.message, instance=instance)
                self._interrupted = True
            del self._current[image_id]

    def _commit(self, instance: "objects.Instance", image_id: str, work: _Work | None) -> None:
        """Have the engine copy a container that is measured again once it writes nothing more.

        A container could make a large file after the first look, and with sparse files one that
        is larger than its disk.
        """
        what, seconds = "commit the container", CONF.docker.image_load_timeout
        try:
            with self.pauses.held(instance.uuid, work):
                container = self._containers.attributes(instance.uuid)["Id"]
                most = CONF.docker.image_max_unpacked_size * _MIB
                sizes.check(sizes.exact(self._engine, instance.uuid, container, most + _ROOM))
                with self._engine.asked_patiently(what, seconds) as client:
                    client.api.commit(
                        container,
                        repository=REPOSITORY,
                        tag=image_id,
                        changes=f"LABEL {_LABEL}={image_id}",
                    )
        except docker.errors.NotFound as e:
            raise errors.EngineRefused(what, str(e.explanation)) from e
        except errors.NO_ANSWER:
            self._interrupted = True
            raise

    def _save(self, instance: "objects.Instance", name: str, path: pathlib.Path) -> None:
        """Write what the engine saves of an image, to the limit for images at most."""
        LOG.info("Saving %s", name, instance=instance)
        progress = Progress("Saved", instance)
        what, most = f"save image {name}", CONF.docker.image_max_unpacked_size
        with (
            self._engine.asked_patiently(what, CONF.docker.image_load_timeout) as client,
            path.open("xb") as file,
        ):
            try:
                for data in client.api.get_image(name):
                    progress.add(len(data))
                    if progress.done > most * _MIB + _ROOM:
                        raise errors.NoSnapshot(
                            f"it has more than {most} MiB ([docker] image_max_unpacked_size), so "
                            "that no server could be made of it; remove some of the server's files"
                        )
                    file.write(data)
            except docker.errors.NotFound as e:
                raise errors.EngineRefused(what, str(e.explanation)) from e

    def _remove(self, name: str) -> None:
        with (
            contextlib.suppress(docker.errors.NotFound),
            self._engine.asked_to(f"remove image {name}") as client,
        ):
            client.images.remove(name, force=True)


def _omitted(attributes: _Json) -> tuple[str, ...]:
    """The places in a container where something of its host is mounted."""
    mounts = attributes.get("Mounts") or ()
    return (_INIT, *(mount["Destination"] for mount in mounts))


@contextlib.contextmanager
def _room_reported() -> typing.Iterator[None]:
    """Turn an error of the host's disk into one that a user sees."""
    try:
        yield
    except OSError as e:
        raise errors.NoSnapshot(f"its host cannot write it: {e.strerror or e}") from e
