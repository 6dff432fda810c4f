# SPDX-License-Identifier: Apache-2.0
"""Makes containers of live images: marks them, so that the engine's runtime restores them."""

import contextlib
import json
import pathlib
import typing

from fpga_hooks.instance import bitstreams
from novadocker import clone_file, errors, images, live_host, live_store
from novadocker.containers import Containers
from novadocker.live import errors as live_errors
from novadocker.live import manifest, settings

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

RUNTIME = live_host.RUNTIME


class Launch(typing.NamedTuple):
    """What a container is to be restored from.

    :param name: of the image in the engine
    :param project: whose server it is
    :param bitstreams: the digests of what is in its regions
    :param origin: whose memory it is
    :param has_file: whether the source has the file that says so, and the container then, too
    """

    name: str
    project: str
    bitstreams: tuple[str, ...]
    origin: clone_file.Origin
    has_file: bool


def is_live(image_meta: "objects.ImageMeta") -> bool:
    """Whether an image is a live one."""
    return "container_format" in image_meta and image_meta.container_format == live_store.FORMAT


def check_host(host: live_host.LiveHost, image_meta: "objects.ImageMeta") -> None:
    """See that this host can restore an image, before it is fetched.

    The scheduler sees to that at a boot. At an unshelve, Nova has it choose a host by the image
    that the server was booted from.

    :raises errors.ImageNotReady: it cannot, with the reason
    """
    if not is_live(image_meta):
        return
    host.look()
    if host.refusal is not None:
        raise errors.ImageNotReady(image_meta.id, f"its host has no live images: {host.refusal}")


def of(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_meta: "objects.ImageMeta",
) -> Launch | None:
    """How a server is made of its image, which is in the engine; None if that is not a live one.

    Root looks at the same again; here it is an error of the user's, before anything is made.

    :raises errors.BadImage: it is another project's, or of another bitstream
    :raises errors.ImageNotReady: this host cannot verify it
    """
    found = _described(context, instance, image_meta)
    if found is None:
        return None
    name, description = found
    digests = bitstreams.digests(instance)
    if description.bitstreams != digests:
        raise errors.BadImage(
            image_meta.id,
            "the live image is of a server with another bitstream; take the flavor of that server",
        )
    origin = clone_file.Origin(image_meta.id, description.instance)
    has_file = clone_file.TARGET in description.mounts
    return Launch(name, description.project, digests, origin, has_file)


def check_owner(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_meta: "objects.ImageMeta",
) -> None:
    """See that a live image, which is in the engine, is of the server's project; others are good.

    :raises errors.BadImage, errors.ImageNotReady: see `of`
    """
    _described(context, instance, image_meta)


def _described(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_meta: "objects.ImageMeta",
) -> tuple[str, manifest.Manifest] | None:
    """The name in the engine of a live image of the server's project, and what is signed of it."""
    if not is_live(image_meta):
        return None
    name = images.reference(image_meta.id, images.IMAGE_API.get(context, image_meta.id))
    try:
        found = live_store.described(name)
    except live_errors.LiveError as e:
        # It was good when it came here: the host is at fault, or trusts its key no more.
        live_store.remove_damaged(name)
        raise errors.ImageNotReady(image_meta.id, f"the live image is refused: {e}") from e
    if found.project != instance.project_id:
        raise errors.BadImage(image_meta.id, "the live image is of another project")
    return name, found


def start(
    containers: Containers,
    host: live_host.LiveHost,
    instance: "objects.Instance",
    launch: Launch | None,
) -> None:
    """Start a container; with a launch it is restored, and its hook has run afterwards."""
    if launch is None:
        containers.start(instance.uuid)
        return
    table = {
        "images": launch.name.rpartition("/")[2],
        "project": launch.project,
        "bitstreams": launch.bitstreams,
    }
    container = str(containers.attributes(instance.uuid)["Id"])
    try:
        with mark(container, table):
            containers.start(instance.uuid)
    except errors.EngineRefused:
        live_store.remove_damaged(launch.name)
        raise
    host.run_hook(container)


@contextlib.contextmanager
def mark(container: str, table: dict[str, typing.Any]) -> typing.Iterator[None]:
    """Have the engine's runtime restore a container that is started in the body.

    :param table: what it reads; see novadocker.live.runtime
    :raises errors.NoLiveImage: the host cannot write it
    """
    file = live_store.configuration().incoming / settings.MARKS / container
    try:
        try:
            _write(file, table)
        except OSError as e:
            raise errors.NoLiveImage(f"{file} cannot be written: {e.strerror or e}") from e
        yield
    finally:
        file.unlink(missing_ok=True)


def _write(file: pathlib.Path, table: dict[str, typing.Any]) -> None:
    file.write_text(json.dumps(table))
