# SPDX-License-Identifier: Apache-2.0
"""The images in Glance that become snapshots."""

import pathlib
import shlex
import typing

from oslo_log import log as logging

from fpga_hooks.instance import image_properties
from novadocker import errors, images
from novadocker.progress import Progress, Reader

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)

_COMMAND = "os_command_line"


def upload(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    image_id: str,
    archive: pathlib.Path,
    command: list[str],
) -> None:
    """Give an empty image its data, and the properties that Nova did not set right.

    :param command: that of the container
    :raises errors.NoSnapshot: Glance has other data
    :raises nova.exception.NovaException: Glance did not take it
    """
    size = archive.stat().st_size
    LOG.info("Uploading %d MiB to image %s", size >> 20, image_id, instance=instance)
    properties = _properties(instance, command)
    metadata = {"container_format": "docker", "disk_format": "raw", "properties": properties}
    with archive.open("rb") as file:
        data = Reader(file, Progress("Uploaded", instance, size))
        image = images.IMAGE_API.update(context, image_id, metadata, data, purge_props=False)
    # After an interrupted upload, Nova sends again only what it has not read yet (26 to 34).
    if image["size"] != size:
        raise errors.NoSnapshot(f"Glance got {image['size']} of {size} bytes of it; try again")


def _properties(instance: "objects.Instance", command: list[str]) -> dict[str, str]:
    """The image's properties that Nova did not set right: it copies one that it had cut."""
    try:
        image_properties.of_instance(instance, _COMMAND)
    except image_properties.CutError:
        return {_COMMAND: shlex.join(command)}
    return {}
