# SPDX-License-Identifier: Apache-2.0
"""Turns what Nova asks for into what the engine is asked for; talks to neither."""

import pathlib
import shlex
import typing

from docker.types import LogConfig, Mount, Ulimit
from nova.virt import driver
from oslo_config import cfg

from fpga_hooks.instance import devices
from fpga_nova.contract import NODE_KINDS
from novadocker import clone_file, config_drive, errors, limits, opencl

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF

LABEL_UUID = "org.openstack.nova.instance.uuid"
#: Nova's name, from ``instance_name_template``; the other is the user's.
LABEL_INSTANCE = "org.openstack.nova.instance.instance_name"
LABEL_NAME = "org.openstack.nova.instance.name"
LABEL_PROJECT = "org.openstack.nova.project.id"
LABEL_HOST = "org.openstack.nova.host"
LABEL_IMAGE = "org.openstack.nova.image.id"

#: What the name of a container ends with that waits for the end of a move.
SOURCE = "-source"

#: What a network mode begins with that names another container.
_JOINED = "container:"

#: Characters that Linux takes for a host name (HOST_NAME_MAX), and RFC 1035 for a label of one.
_HOST_NAME_SIZE = 64
_LABEL_SIZE = 63

#: The console log keeps between one and two of these.
_LOG_SIZE = "1m"


def own_labels(label: str = LABEL_UUID) -> list[str]:
    """The labels of what is this host's in the engine, for a filter.

    :param label: of what is looked for; without it, of the containers of instances
    """
    return [label, f"{LABEL_HOST}={CONF.host}"]


def name_of(uuid: str) -> str:
    """The name of the container of an instance."""
    return f"nova-{uuid}"


def source_of(name: str) -> str:
    """The name that a container has while it waits for the end of a move."""
    return f"{name}{SOURCE}"


def is_source(container: typing.Mapping[str, typing.Any]) -> bool:
    """Whether a container waits for the end of a move.

    :param container: what the engine's list has of it
    """
    return any(name.endswith(SOURCE) for name in container.get("Names") or ())


def host_name_of(instance: "objects.Instance") -> str:
    """The host name inside the container.

    Nova lets a name be as long as a domain name, 255 characters; Linux takes 64 (sethostname(2)).
    Of a longer one it is the first label, cut at the 63 characters that a label may have.
    """
    name = instance.hostname or instance.uuid
    if len(name) <= _HOST_NAME_SIZE:
        return str(name)
    return name.partition(".")[0][:_LABEL_SIZE].rstrip("-_") or str(instance.uuid)


def check(
    instance: "objects.Instance",
    injected_files: typing.Sequence[typing.Any] | None,
    block_device_info: typing.Mapping[str, typing.Any] | None,
) -> None:
    """Refuse what a container does not have, rather than leave it out unseen.

    :raises errors.NotServed: with what it is
    """
    features = {
        # Nova does not keep them, so that whoever makes a container anew has none.
        "files cannot be injected into a container: use user data, or put them into the image": (
            bool(injected_files)
        ),
        "a container has no volumes: boot from an image": bool(
            driver.block_device_info_get_mapping(block_device_info)
        ),
    }
    for reason, unserved in features.items():
        if unserved:
            raise errors.NotServed(instance.uuid, reason)
    try:
        limits.check(instance.flavor)
    except limits.FlavorError as e:
        raise errors.NotServed(instance.uuid, str(e)) from e


def command_of(
    image_meta: "objects.ImageMeta", config: typing.Mapping[str, typing.Any]
) -> list[str] | None:
    """What the container runs: the image property ``os_command_line``, or what the image says.

    :param config: the image's configuration in the engine
    :returns: None for what the image says
    :raises errors.BadImage: the property cannot be split as a shell does, or there is no command
    """
    line = image_meta.properties.get("os_command_line")
    try:
        words = shlex.split(line or "")
    except ValueError as e:
        raise errors.BadImage(image_meta.id, f"os_command_line '{line}': {e}") from e
    if not words and not config.get("Cmd") and not config.get("Entrypoint"):
        raise errors.BadImage(
            image_meta.id,
            "it says no command; set the image property os_command_line, or CMD in the Dockerfile",
        )
    return words or None


def container_options(
    instance: "objects.Instance",
    image_id: str,
    command: list[str] | None,
    passed: typing.Sequence[devices.Device],
    joined: str | None = None,
) -> dict[str, typing.Any]:
    """Arguments of the SDK's ``containers.create``, without limits and privileges.

    :param image_id: in the engine
    :param passed: the devices of the instance's region
    :param joined: the container whose network it joins, if it has one
    """
    return {
        "image": image_id,
        "command": command,
        "name": name_of(instance.uuid),
        "labels": {
            LABEL_UUID: instance.uuid,
            LABEL_INSTANCE: instance.name or "",
            LABEL_NAME: instance.display_name or "",
            LABEL_PROJECT: instance.project_id or "",
            LABEL_IMAGE: instance.image_ref or "",
            LABEL_HOST: CONF.host,
        },
        **_network_options(instance, joined),
        "init": True,
        # The host's core_pattern may name a program, which runs outside of all these limits.
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "log_config": LogConfig(type="json-file", config={"max-size": _LOG_SIZE, "max-file": "2"}),
        **_file_options(passed),
    }


def _file_options(passed: typing.Sequence[devices.Device]) -> dict[str, typing.Any]:
    """The devices, and what programs need beside them."""
    options = device_options(passed)
    return options | {"mounts": [*options["mounts"], *opencl.mounts(passed)]}


def _network_options(instance: "objects.Instance", joined: str | None) -> dict[str, str]:
    """The network, and the host name, which the engine takes from the container that is joined."""
    if joined:
        return {"network_mode": f"{_JOINED}{joined}"}
    return {"network_mode": "none", "hostname": host_name_of(instance)}


def joins_a_network(attributes: typing.Mapping[str, typing.Any]) -> bool:
    """Whether a container was made with another's network.

    :param attributes: what the engine tells about the container
    """
    return str(attributes["HostConfig"]["NetworkMode"]).startswith(_JOINED)


def device_options(passed: typing.Sequence[devices.Device]) -> dict[str, typing.Any]:
    """The devices among the arguments of ``containers.create``.

    None of them is a string with colons, which the SDK would take apart where a path has one.

    A socket or a pipe is a file, not a device: it is mounted. The mount is read-only, so that the
    container cannot change the owner, the mode or the times of the host's file. One connects to it,
    and opens it for writing, all the same.
    """
    return {
        "devices": [
            {
                "PathOnHost": device.host_path,
                "PathInContainer": device.container_path,
                # "m" is left out: a container has no reason to make nodes.
                "CgroupPermissions": "rw",
            }
            for device in passed
            if device.kind in ("char", "block")
        ],
        "mounts": [
            Mount(device.container_path, device.host_path, type="bind", read_only=True)
            for device in passed
            if device.kind in ("socket", "pipe")
        ],
    }


def devices_in(attributes: typing.Mapping[str, typing.Any]) -> set[tuple[str, str]]:
    """The pairs of host path and container path that a container was made with.

    :param attributes: what the engine tells about the container
    """
    host = attributes["HostConfig"]
    nodes = {(node["PathOnHost"], node["PathInContainer"]) for node in host.get("Devices") or ()}
    files = {
        (mount["Source"], mount["Target"])
        for mount in host.get("Mounts") or ()
        if mount["Target"] not in (config_drive.TARGET, clone_file.TARGET, *opencl.TARGETS)
    }
    return nodes | files


def check_devices(passed: typing.Sequence[devices.Device]) -> None:
    """See that each device is on the host and is what it is said to be.

    :raises errors.BadDevice: one is not
    """
    for device in passed:
        try:
            mode = pathlib.Path(device.host_path).stat().st_mode
        except PermissionError:
            continue  # nova-compute may not look there; the engine may, and refuses what is missing
        except OSError as e:
            raise errors.BadDevice(
                f"device {device.host_path} of the FPGA region is not there: {e.strerror}; "
                "compare 'fpga-cli.py status' with the host's /dev"
            ) from e
        if not NODE_KINDS[device.kind](mode):
            raise errors.BadDevice(f"device {device.host_path} is not a {device.kind} device")
