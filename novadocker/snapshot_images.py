# SPDX-License-Identifier: Apache-2.0
"""The images in Glance that become snapshots."""

import pathlib
import shlex
import typing

from fpga_hooks.instance import image_properties
from novadocker import errors, images, live_store, progress

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
    live: bool = False,
) -> None:
    """Give an empty image its data, and the properties that Nova did not set right.

    :param command: that of the container
    :param live: whether the archive has its memory, too
    :raises errors.NoSnapshot: Glance has other data
    :raises nova.exception.NovaException: Glance did not take it
    """
    properties = _properties(instance, command) | _live_properties(instance, live)
    kind = live_store.FORMAT if live else "docker"
    metadata = {"container_format": kind, "disk_format": "raw", "properties": properties}
    if live:
        # What was dumped needs as much again.
        metadata["min_ram"] = instance.flavor.memory_mb
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


def _live_properties(instance: "objects.Instance", live: bool) -> dict[str, str]:
    """What tells live images from others.

    Nova copies the properties of a server's image to its snapshots, so that a plain snapshot of a
    clone would have those of a live image. Nova ignores each value of a trait but ``required``.
    """
    trait = f"trait:{live_store.TRAIT}"
    if live:
        flavor = instance.flavor.flavorid
        return {live_store.PROPERTY: "done", trait: "required", live_store.FLAVOR: flavor}
    if f"image_{live_store.PROPERTY}" in (instance.system_metadata or {}):
        return {live_store.PROPERTY: "no", trait: "unneeded"}
    return {}
