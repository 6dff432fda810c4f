# SPDX-License-Identifier: Apache-2.0
"""Which devices of the host a container gets: those of its own regions, and no others."""

import dataclasses
import itertools
import posixpath
import re
import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.instance import background, call_sites, image_properties
from fpga_hooks.program import client, errors, published
from fpga_nova import host_status
from fpga_nova.contract import NODE_KINDS, Exit
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_PROPERTY = "docker_devices"


@dataclasses.dataclass(frozen=True)
class Device:
    """A node of the host and where the container sees it."""

    kind: str
    host_path: str
    container_path: str


def for_instance(instance: "objects.Instance") -> list[Device]:
    """The devices of the regions that the instance holds; none for an ordinary instance.

    Waits for the burn, if it goes on still.

    The image property ``docker_devices`` (``/dev/fpga0:/dev/accel,/dev/fpga1``) may rename them or
    leave some out. It names them as the regions do, those that `apart` renamed by their new
    names, so it can never add one.

    :raises nova.exception.NovaException: the burn failed, the region is gone, or the property
        leaves nothing or cannot be read
    """
    if not CONF.fpga.access:
        return []
    request = background.burns.finish(instance) or InstanceRequest.of(instance)
    numbers = request.bitstreams
    if not numbers:
        return []
    owner = request.owner
    try:
        regions = published.owned_by(owner, numbers) or client.status().owned_by(owner)
        usable = [_usable(number, regions.get(number)) for number in numbers]
        return narrow(
            apart([_nodes(region) for region in usable]),
            image_properties.of_instance(instance, _PROPERTY),
        )
    except image_properties.CutError as e:
        raise call_sites.failure(errors.CliError(Exit.NO_IMAGE, str(e)), instance) from e
    except errors.CliError as e:
        raise call_sites.failure(e, instance) from e


def apart(of_regions: list[list[Device]]) -> list[Device]:
    """The devices of all regions, no two under one name.

    A name that an earlier region has goes on with the next number that none of them has at its end:
    the second ``/dev/fpga0`` is ``/dev/fpga1``. Names that do not clash stay.

    :param of_regions: the devices of each, in order of the regions' numbers
    """
    names = {device.container_path for device in itertools.chain(*of_regions)}
    paths: set[str] = set()
    devices = []
    for device in itertools.chain(*of_regions):
        path = device.container_path
        if path in paths:
            path = _next_free(path, names)
            device = dataclasses.replace(device, container_path=path)
        names.add(path)
        paths.add(path)
        devices.append(device)
    return devices


def _next_free(path: str, names: set[str]) -> str:
    stem = re.sub("[0-9]+$", "", path)
    first = int(path.removeprefix(stem) or 0) + 1
    return next(name for n in itertools.count(first) if (name := f"{stem}{n}") not in names)


def _usable(number: int, region: host_status.Region | None) -> host_status.Region:
    which = f" {number}" if number > 1 else ""
    if region is None or not region.programmed:
        raise errors.CliError(None, f"no FPGA region{which} is programmed for the instance")
    if region.healthy is False:
        raise errors.CliError(None, f"FPGA region {region.id} has lost its configuration")
    return region


def narrow(devices: list[Device], selection: str | None) -> list[Device]:
    """Rename devices and leave some out, as an image asks.

    :param selection: comma-separated ``NAME[:PATH]``, NAME being a device's path in the container
        as the bitstream's manifest gives it and `apart` leaves it; None or empty for all as they
        are
    :raises errors.CliError: the selection cannot be read, or none of its names is among the devices
    """
    if not selection or not selection.strip():
        return devices
    by_name = {device.container_path: device for device in devices}
    passed = {}
    for item in selection.split(","):
        name, _, path = item.strip().partition(":")
        path = path or name
        if not _is_device_path(path):
            raise errors.CliError(
                Exit.NO_IMAGE,
                f"the image's docker_devices has '{item.strip()}', which is not NAME or "
                "NAME:PATH with paths below /dev/ and nothing after them",
            )
        if name not in by_name:
            LOG.warning("The image asks for %s, which its FPGA region does not have", name)
            continue
        passed[path] = dataclasses.replace(by_name[name], container_path=path)
    if not passed:
        raise errors.CliError(
            Exit.NO_IMAGE,
            f"the image's docker_devices names none of the devices that the bitstream "
            f"exposes ({', '.join(by_name) or 'none'})",
        )
    return list(passed.values())


def _nodes(region: host_status.Region) -> list[Device]:
    devices = []
    for node in region.nodes:
        kind = node["kind"]
        if kind not in NODE_KINDS or not _is_device_path(node["name"]):
            raise errors.CliError(None, f"region {region.id} has a node that no container can get")
        devices.append(Device(kind, node["path"], node["name"]))
    return devices


def _is_device_path(path: str) -> bool:
    """Whether it is the path of a node; without a colon, which separates paths elsewhere."""
    return (
        path.startswith("/dev/")
        and posixpath.normpath(path) == path
        and path.isprintable()
        and ":" not in path
    )
