# SPDX-License-Identifier: Apache-2.0
"""Carriers bring the files of a container to the host that a server moves to.

A carrier is an image: in Glance, hidden and private, or in the engine alone where the server stays
on its host. Each host of a move has a record of it, until nobody needs it any more.
"""

import dataclasses
import json
import pathlib
import uuid

import docker.errors
from keystoneauth1 import loading as keystone_loading
from nova import context as nova_context
from nova import exception, objects
from oslo_config import cfg
from oslo_log import log as logging

from novadocker import errors, images, loading, progress
from novadocker.engine import Engine
from novadocker.instance_records import Records

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_RECORDS = Records("move")
#: What Nova's migration is before the new host has finished its part.
_UNFINISHED = ("migrating", "post-migrating")
#: The tag of an image that is in the engine alone.
_LOCAL = "local"


@dataclasses.dataclass(frozen=True)
class Carrier:
    """What the new host has to know, as JSON between the hosts and on disk.

    :ivar image_id: in Glance; empty for a record without a carrier
    :ivar name: what the image is called in an engine, with its digest; empty until it has one
    :ivar command: that of the container, of which Nova may have cut the image property
    :ivar arrived: whether the new container was made of it
    :ivar confirmed: whether the source container is not needed any more
    """

    image_id: str
    name: str = ""
    command: list[str] | None = None
    arrived: bool = False
    confirmed: bool = False

    @classmethod
    def parse(cls, text: str) -> "Carrier":
        """What `text` wrote."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """All of it, for the other host."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def local(self) -> bool:
        """Whether the image is in the engine of this host alone."""
        return self.name.endswith(f":{_LOCAL}")


def begin(instance: "objects.Instance", command: list[str] | None, local: bool) -> Carrier:
    """Choose a carrier, and record it before there is one."""
    image_id = str(uuid.uuid4())
    name = f"{images.REPOSITORY}/{image_id}:{_LOCAL}" if local else ""
    carrier = Carrier(image_id, name, command)
    record(instance.uuid, carrier)
    return carrier


def record(instance_uuid: str, carrier: Carrier) -> None:
    """Have a record of a carrier, on disk when it returns."""
    _RECORDS.write(instance_uuid, dataclasses.asdict(carrier))


def recorded(instance_uuid: str) -> Carrier | None:
    """The carrier of an instance, if there is a record of one."""
    try:
        return Carrier(**_RECORDS.read(instance_uuid))
    except (OSError, ValueError, TypeError):
        return None


def expected(instance_uuid: str) -> Carrier | None:
    """The carrier of which the container of an instance is still to be made."""
    carrier = recorded(instance_uuid)
    return carrier if carrier and carrier.name and not carrier.arrived else None


def check_arrival(instance: "objects.Instance") -> None:
    """Refuse to make a container anew whose files did not come, and are on the former host alone.

    nova-compute of the new host died before it had a record of its move.

    :raises errors.NotMoved: they may not have come
    """
    if instance.old_flavor is None or recorded(instance.uuid):
        return
    context = nova_context.get_admin_context()
    number = instance.migration_context and instance.migration_context.migration_id
    migration = objects.Migration.get_by_id(context, number) if number else None
    if migration is None or migration.status not in _UNFINISHED:
        return
    if migration.dest_compute == CONF.host != migration.source_compute:
        raise errors.NotMoved(
            "its files did not come, and are in its source container on "
            f"{migration.source_compute}; a rebuild makes it anew without them"
        )


def note_arrival(instance_uuid: str) -> None:
    """Record that the container of an instance was made of its carrier."""
    carrier = recorded(instance_uuid)
    if carrier:
        record(instance_uuid, dataclasses.replace(carrier, arrived=True))


def note_confirmation(instance_uuid: str) -> None:
    """Record that the source container of an instance is not needed any more."""
    carrier = recorded(instance_uuid) or Carrier("")
    record(instance_uuid, dataclasses.replace(carrier, arrived=True, confirmed=True))


def uuids() -> list[str]:
    """The instances of whose moves this host has a record."""
    return _RECORDS.uuids()


def load(engine: Engine, carrier: Carrier, archive: pathlib.Path, layers: list[str]) -> None:
    """Give the engine of this host a carrier that is for this host.

    :param layers: the digests of the archive's layers
    :raises nova.exception.NovaException: the engine did not take it
    """
    loading.load(engine, archive, carrier.image_id, carrier.name, layers)
    images.note_use(carrier.name)


def upload(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    carrier: Carrier,
    archive: pathlib.Path,
) -> Carrier:
    """Give Glance a carrier.

    :returns: the carrier, whose name has its digest
    :raises nova.exception.NovaException: Glance did not take it, or has something else
    """
    metadata = {
        "id": carrier.image_id,
        "name": f"move-of-{instance.uuid}",
        "visibility": "private",
        "os_hidden": True,
        "container_format": "docker",
        "disk_format": "raw",
    }
    user = _identity() or context
    image = progress.upload(
        archive,
        instance,
        lambda data: images.IMAGE_API.create(user, metadata, data),
        errors.NotMoved,
    )
    images.verify(archive, carrier.image_id, image)
    name = images.reference(carrier.image_id, image)
    return dataclasses.replace(carrier, name=name)


def fetch(engine: Engine, context: "nova_context.RequestContext", carrier: Carrier) -> str:
    """Have the image of a carrier in the engine.

    :returns: its id in the engine
    :raises nova.exception.NovaException: it is not there, or is not what was sent
    """
    if not carrier.local:
        return images.ensure_data(engine, _identity() or context, carrier.image_id, carrier.name)
    found = images.find(engine, carrier.name)
    if found is None:
        raise errors.NotMoved(f"image {carrier.name} is not in the Docker Engine any more")
    return found


def discard(
    engine: Engine, instance_uuid: str, context: "nova_context.RequestContext | None" = None
) -> None:
    """Remove the carrier of an instance and its record; logs what stays for a later try.

    :param context: whose token may delete the image if ``[service_user]`` names no user
    """
    carrier = recorded(instance_uuid)
    if carrier is None:
        return
    try:
        if carrier.local:
            _forget(engine, carrier.name)
        elif carrier.image_id:
            _delete(context, carrier.image_id)
    except Exception as e:  # whatever the clients of other services raise
        LOG.warning("Image %s of a move of %s stays: %s", carrier.image_id, instance_uuid, e)
        return
    _RECORDS.remove(instance_uuid)


def _forget(engine: Engine, name: str) -> None:
    """Remove an image from the engine, unless a container uses it."""
    try:
        with engine.asked_to(f"remove image {name}") as client:
            client.images.remove(name)
    except (docker.errors.NotFound, errors.EngineRefused):
        return


def _delete(context: "nova_context.RequestContext | None", image_id: str) -> None:
    user = _identity() or context
    if user is None:
        LOG.warning(
            "Image %s of a move may be in Glance still: delete it. With [service_user] in "
            "nova.conf, nova-compute does",
            image_id,
        )
        return
    try:
        images.IMAGE_API.delete(user, image_id)
    except exception.ImageNotFound:
        return


def _identity() -> "nova_context.RequestContext | None":
    """Nova's own user, so that no tenant sees a carrier; None if nova.conf has none."""
    auth = keystone_loading.load_auth_from_conf_options(CONF, "service_user")
    if auth is None:
        return None
    return nova_context.RequestContext(user_auth_plugin=auth, is_admin=True, overwrite=False)
