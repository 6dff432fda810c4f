# SPDX-License-Identifier: Apache-2.0
"""Live images by the calls of Nova and Glance for any image."""

import base64
import dataclasses
import pathlib
import typing

from osc_lib import exceptions as osc

#: The container format of live images in Glance.
FORMAT = "live"
#: Asks Nova's driver for one.
_REQUEST = {"live_image": "true"}
#: Asks for memory that its servers share.
_MAPPED = {"live_memory": "mapped"}
#: The property of a live image with the flavor of its source.
_FLAVOR = "live_flavor"
#: For how long a command waits for an image.
_SECONDS = 3600
#: What Nova calls the parts of ``--nic``.
_NIC = {
    "net-id": "uuid",
    "net-name": "uuid",
    "port-id": "port",
    "v4-fixed-ip": "fixed_ip",
    "v6-fixed-ip": "fixed_ip",
    "tag": "tag",
}
#: What is of one server alone.
_OF_ONE = {"port", "fixed_ip"}


@dataclasses.dataclass(frozen=True)
class Launch:
    """What servers are to be launched from a live image.

    :param image: its name or id
    :param name: of the server; several get numbers behind it; None for that of the image
    :param flavor: its name or id; None for that of the source
    :param count: how many
    :param nics: each as ``--nic`` of ``openstack server create`` has it, such as
        ``net-id=NETWORK,tag=one`` or ``port-id=PORT``, with names or ids; ``none`` or ``auto``
        alone; nothing for what Nova chooses
    :param user_data: a file
    :param server_group: its name or id
    :param hints: for the scheduler, each with its values
    :param properties: the metadata of the servers
    """

    image: str
    name: str | None = None
    flavor: str | None = None
    count: int = 1
    nics: typing.Sequence[str] = ()
    key_name: str | None = None
    user_data: str | None = None
    availability_zone: str | None = None
    security_groups: typing.Sequence[str] = ()
    server_group: str | None = None
    hints: typing.Mapping[str, typing.Sequence[str]] = dataclasses.field(default_factory=dict)
    properties: typing.Mapping[str, str] = dataclasses.field(default_factory=dict)
    config_drive: bool = False


class LiveImages:
    """The live images that a user has.

    :param cloud: a connection of openstacksdk's
    """

    def __init__(self, cloud: typing.Any) -> None:
        self._cloud = cloud

    def create(
        self, server: str, name: str | None = None, wait: bool = False, mapped: bool = False
    ) -> typing.Any:
        """Have Nova make one of a server.

        :param server: its name or id
        :param name: of the image; None for that of the server
        :param wait: whether to wait until the image is active
        :param mapped: whether servers of the image share its memory until they write to it
        :returns: the image
        """
        found = self._cloud.compute.find_server(server, ignore_missing=False)
        return self._cloud.compute.create_server_image(
            found,
            name or found.name,
            metadata={**_REQUEST, **(_MAPPED if mapped else {})},
            wait=wait,
            timeout=_SECONDS,
        )

    def all(self) -> typing.Iterable[typing.Any]:
        """All of them."""
        images: typing.Iterable[typing.Any] = self._cloud.image.images(container_format=FORMAT)
        return images

    def find(self, name: str) -> typing.Any:
        """One by its name or id.

        :raises osc_lib.exceptions.CommandError: there is none, or it is another kind of image
        """
        image = self._cloud.image.find_image(name, ignore_missing=True)
        if image is None:
            raise osc.CommandError(f"No image is called {name}")
        if image.container_format != FORMAT:
            raise osc.CommandError(f"{name} is not a live image")
        return image

    def servers(self, image: typing.Any) -> list[typing.Any]:
        """The servers that were made of one."""
        return list(self._cloud.compute.servers(image=image.id))

    def launch(self, request: Launch) -> list[typing.Any]:
        """Have Nova make servers.

        :returns: the servers, which Nova may still be building
        :raises osc_lib.exceptions.CommandError: the image is not a live one, or has no flavor; the
            user data cannot be read; Nova would refuse the networks; there is nothing to launch
        """
        if request.count < 1:
            raise osc.CommandError("The number of servers must be at least 1")
        image = self.find(request.image)
        options = {
            "image_id": image.id,
            "flavor_id": self._flavor(image, request.flavor).id,
            "networks": self._networks(request),
            "key_name": request.key_name,
            "user_data": _encoded(request.user_data),
            "availability_zone": request.availability_zone,
            "security_groups": [{"name": one} for one in request.security_groups],
            "scheduler_hints": self._hints(request),
            "metadata": dict(request.properties),
            "config_drive": request.config_drive,
        }
        options = {key: value for key, value in options.items() if value}
        compute = self._cloud.compute
        names = _names(request.name or image.name, request.count)
        servers = [compute.create_server(name=name, **options) for name in names]
        return [compute.get_server(server.id) for server in servers]

    def discard(self, name: str, force: bool = False) -> None:
        """Have Glance delete one.

        :param force: delete it though it has servers
        :raises osc_lib.exceptions.CommandError: it has servers
        """
        image = self.find(name)
        servers = self.servers(image)
        if servers and not force:
            names = ", ".join(server.name for server in servers)
            raise osc.CommandError(
                f"Servers were made of it: {names} - delete them first, or use --force"
            )
        self._cloud.image.delete_image(image.id)

    def _flavor(self, image: typing.Any, name: str | None) -> typing.Any:
        name = name or (image.properties or {}).get(_FLAVOR)
        if name is None:
            raise osc.CommandError(f"{image.name} does not name a flavor - use --flavor")
        return self._cloud.compute.find_flavor(name, ignore_missing=False)

    def _hints(self, request: Launch) -> dict[str, typing.Any]:
        hints = {key: one if len(one) > 1 else one[0] for key, one in request.hints.items()}
        if request.server_group is None:
            return hints
        group = self._cloud.compute.find_server_group(request.server_group, ignore_missing=False)
        return {**hints, "group": group.id}

    def _networks(self, request: Launch) -> typing.Any:
        nics = list(request.nics) or ["auto"]
        if nics in (["auto"], ["none"]):
            return nics[0]
        found = [self._nic(text) for text in nics]
        if request.count > 1 and not all(_OF_ONE.isdisjoint(nic) for nic in found):
            raise osc.CommandError("A port and a fixed address are for one server alone")
        return found

    def _nic(self, text: str) -> dict[str, str]:
        pairs = [part.partition("=") for part in text.split(",")]
        nic = {_NIC[key]: value for key, _, value in pairs if key in _NIC and value}
        if len(nic) < len(pairs) or ("uuid" in nic) == ("port" in nic):
            raise osc.CommandError(
                f"{text} is not of the form net-id=NETWORK or port-id=PORT, with v4-fixed-ip=IP or "
                "v6-fixed-ip=IP and tag=TAG after a comma; none and auto stand alone"
            )
        network = self._cloud.network
        find = {"uuid": network.find_network, "port": network.find_port}
        ids = {key: find[key](nic[key], ignore_missing=False).id for key in find if key in nic}
        return nic | ids


def _names(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(1, count + 1)] if count > 1 else [name]


def _encoded(file: str | None) -> str | None:
    """User data as Nova takes it."""
    if file is None:
        return None
    try:
        return base64.b64encode(pathlib.Path(file).read_bytes()).decode()
    except OSError as e:
        raise osc.CommandError(f"{file} cannot be read: {e.strerror}") from e
