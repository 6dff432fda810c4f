# SPDX-License-Identifier: Apache-2.0
"""The images in Glance that become snapshots."""

import pathlib
import shlex
import typing

from fpga_hooks.instance import image_properties
from novadocker import errors, images, progress

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

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
    properties = _properties(instance, command)
    metadata = {"container_format": "docker", "disk_format": "raw", "properties": properties}
    progress.upload(
        archive,
        instance,
        lambda data: images.IMAGE_API.update(context, image_id, metadata, data, purge_props=False),
        errors.NoSnapshot,
    )


def _properties(instance: "objects.Instance", command: list[str]) -> dict[str, str]:
    """The image's properties that Nova did not set right: it copies one that it had cut."""
    try:
        image_properties.of_instance(instance, _COMMAND)
    except image_properties.CutError:
        return {_COMMAND: shlex.join(command)}
    return {}
