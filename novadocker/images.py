# SPDX-License-Identifier: Apache-2.0
"""Brings images from Glance to the engine, and knows them there by Glance's id and digest."""

import contextlib
import hashlib
import pathlib
import time
import typing

import docker.errors
from nova import objects
from nova.image import glance
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova.confined import folders
from fpga_nova.container_image import reading
from novadocker import errors, live_store, loading
from novadocker.engine import Engine

if typing.TYPE_CHECKING:
    from nova import context as nova_context

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

IMAGE_API = glance.API()

#: All images of this driver are in this repository of the engine; archives cannot name it.
REPOSITORY = "fpga-nova"
#: A tag has at most 128 characters and 128 bits are enough to tell digests apart.
_DIGITS = 32
#: How the names of folders begin in which images are read and written.
FOLDER = "docker-image-"
#: Folder of the markers, below `instances_path`.
MARKERS = "docker-images"
_MIB = 1 << 20


def ensure(
    engine: Engine, context: "nova_context.RequestContext", image_meta: "objects.ImageMeta"
) -> str:
    """Have an image in the engine; fetched if it is not there yet.

    :returns: the image's id in the engine, ``sha256:…``
    :raises errors.BadImage: no container can be made of it
    :raises errors.ImageNotReady: this host could not read or load it
    :raises errors.EngineUnavailable: the engine does not answer
    """
    check_format(image_meta)
    return _ensure(engine, context, image_meta.id)[0]


def ensure_data(
    engine: Engine, context: "nova_context.RequestContext", image_id: str, name: str
) -> str:
    """Have an image in the engine whose data is known.

    :param image_id: in Glance
    :param name: what `reference` gives for that data
    :returns: the image's id in the engine
    :raises nova.exception.NovaException: see `ensure`, or its data is other than that
    """
    if reference(image_id, IMAGE_API.get(context, image_id)) != name:
        raise errors.BadImage(image_id, "its data in Glance is not what was uploaded")
    return _ensure(engine, context, image_id)[0]


def cache(engine: Engine, context: "nova_context.RequestContext", image_id: str) -> bool:
    """Have an image in the engine before a server needs it.

    :param image_id: in Glance
    :returns: whether it was fetched; False if the engine had it
    :raises nova.exception.NovaException: see `ensure`
    """
    check_format(objects.ImageMeta.from_dict(IMAGE_API.get(context, image_id)))
    return _ensure(engine, context, image_id)[1]


def _ensure(
    engine: Engine, context: "nova_context.RequestContext", image_id: str
) -> tuple[str, bool]:
    """The image's id in the engine, and whether it was fetched."""
    engine.wait(0)  # before anything is fetched for an engine that is down
    with lock(image_id):
        image = IMAGE_API.get(context, image_id)
        name = reference(image_id, image)
        known = find(engine, name) if live_store.complete(image, name) else None
        engine_id = known or _fetch(engine, context, image_id, image, name)
        note_use(name)
    return engine_id, known is None


@contextlib.contextmanager
def lock(image_id: str) -> typing.Iterator[None]:
    """Held while an image is fetched or removed."""
    with lockutils.lock(f"docker-image-{image_id}", "nova-"):
        yield


def note_use(name: str) -> None:
    """Note that an image is used now, with the time of a file below ``instances_path``.

    :param name: in the engine
    """
    path = marker(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def marker(name: str) -> pathlib.Path:
    """The file whose time is that of an image's last use."""
    return pathlib.Path(CONF.instances_path, MARKERS, name.rpartition("/")[2])


def config_of(engine: Engine, image_id: str) -> dict[str, typing.Any]:
    """What an image says about its containers, such as their command.

    :param image_id: in the engine
    """
    with engine.asked_to("describe the image") as client:
        return client.images.get(image_id).attrs.get("Config") or {}


def check_format(image_meta: "objects.ImageMeta") -> None:
    """Look at the image's container format.

    :raises errors.BadImage: it is not ``docker``
    """
    found = image_meta.container_format if "container_format" in image_meta else None
    if found == live_store.FORMAT:
        if CONF.docker.live_images:
            return
        raise errors.ImageNotReady(image_meta.id, "[docker] live_images is off on this host")
    if found != "docker":
        raise errors.BadImage(
            image_meta.id,
            f"its container format is {found}, needs docker; upload what 'docker save' writes "
            "with --container-format docker --disk-format raw",
        )


def reference(image_id: str, image: typing.Mapping[str, typing.Any]) -> str:
    """The name of an image in the engine.

    :param image: the image's attributes in Glance
    """
    # Glance never changes the data of an image; without a digest its id says which it is.
    digest = _hash_of(image)[1] or image.get("checksum") or "unverified"
    return f"{REPOSITORY}/{image_id}:{digest[:_DIGITS]}"


def _hash_of(image: typing.Mapping[str, typing.Any]) -> tuple[str | None, str | None]:
    return image.get("os_hash_algo"), image.get("os_hash_value")


def find(engine: Engine, name: str) -> str | None:
    """The id of an image in the engine; None if it has no image of that name."""
    with engine.asked_to(f"look for image {name}") as client:
        try:
            return str(client.images.get(name).id)
        except docker.errors.ImageNotFound:
            return None


def _fetch(
    engine: Engine,
    context: "nova_context.RequestContext",
    image_id: str,
    image: typing.Mapping[str, typing.Any],
    name: str,
) -> str:
    LOG.info("Fetching image %s from Glance", image_id)
    _check_size(image_id, image.get("size") or 0)
    with folders.fresh(parent(), FOLDER) as folder:
        fetched = folder / "fetched"
        IMAGE_API.download(context, image_id, dest_path=str(fetched))
        _check_size(image_id, fetched.stat().st_size)
        verify(fetched, image_id, image)
        if image.get("container_format") == live_store.FORMAT:
            fetched = live_store.unpack(fetched, image_id, name)
        clean = folder / "image.tar"
        layers = _rewrite(fetched, clean, image_id, name)
        fetched.unlink()
        engine_id = loading.load(engine, clean, image_id, name, layers)
    LOG.info("Image %s is %s in the Docker Engine", image_id, engine_id)
    return engine_id


def sweep() -> None:
    """Remove what a nova-compute that was killed left of its fetches and snapshots."""
    try:
        swept = folders.sweep(parent(), FOLDER)
    except OSError as e:
        LOG.warning("Files of dead processes are not looked for: %s", e)
    else:
        LOG.info("Folders of dead processes removed: %s", ", ".join(swept) or "none")


def _check_size(image_id: str, size: int) -> None:
    most = CONF.docker.image_max_size
    if size > most * _MIB:
        raise errors.BadImage(image_id, f"it is larger than {most} MiB ([docker] image_max_size)")


def _rewrite(fetched: pathlib.Path, clean: pathlib.Path, image_id: str, name: str) -> list[str]:
    """Write the archive that the engine gets; the digests of its layers."""
    request = reading.Request(limits(), name, CONF.docker.image_read_timeout)
    try:
        with fetched.open("rb") as source, clean.open("xb") as target:
            return reading.rewrite(source, target, request)
    except reading.Refused as e:
        raise errors.BadImage(image_id, str(e)) from e
    except reading.NotRead as e:
        raise errors.ImageNotReady(image_id, f"it was not read to its end ({e})") from e


def limits() -> reading.Limits:
    """What an image may have that containers are made of."""
    options = CONF.docker
    return reading.Limits(options.image_max_unpacked_size * _MIB, options.image_max_files)


def verify(path: pathlib.Path, image_id: str, image: typing.Mapping[str, typing.Any]) -> None:
    """Compare a fetched file with the digest that Glance has for it, where it has one.

    :raises errors.BadImage: they differ, or the digest is of a kind that is not known here
    """
    algorithm, expected = _hash_of(image)
    if not algorithm or not expected:
        LOG.warning("Glance has no digest of image %s; it is used as it came", image_id)
        return
    if algorithm not in hashlib.algorithms_available:
        raise errors.BadImage(image_id, f"its digest is of the unknown kind {algorithm}")
    found = _digest(path, algorithm)
    if found != expected:
        raise errors.BadImage(
            image_id,
            f"its digest is wrong: Glance has {algorithm} {expected[:_DIGITS]}…, what came has "
            f"{found[:_DIGITS]}…; upload it again",
        )


def _digest(path: pathlib.Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while part := file.read(_MIB):
            digest.update(part)
            time.sleep(0)  # Nova 33 and older have one thread, and large images take a minute
    return digest.hexdigest()


def parent() -> pathlib.Path:
    """Where the folders are in which images are read and written."""
    folder = pathlib.Path(CONF.instances_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
