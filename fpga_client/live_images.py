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


@dataclasses.dataclass(frozen=True)
class Launch:
    """What servers are to be launched from a live image.

    :param image: its name or id
    :param name: of the server; several get numbers behind it; None for that of the image
    :param flavor: its name or id; None for that of the source
    :param count: how many
    :param networks: their names or ids; none for what Nova chooses
    :param user_data: a file
    :param hints: for the scheduler
    """

    image: str
    name: str | None = None
    flavor: str | None = None
    count: int = 1
    networks: typing.Sequence[str] = ()
    key_name: str | None = None
    user_data: str | None = None
    availability_zone: str | None = None
    security_groups: typing.Sequence[str] = ()
    hints: typing.Mapping[str, str] | None = None


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
        :raises osc_lib.exceptions.CommandError: the image is not a live one, or has no flavor
        """
        image = self.find(request.image)
        options = {
            "image_id": image.id,
            "flavor_id": self._flavor(image, request.flavor).id,
            "networks": self._networks(request.networks),
            "key_name": request.key_name,
            "user_data": _encoded(request.user_data),
            "availability_zone": request.availability_zone,
            "security_groups": [{"name": one} for one in request.security_groups],
            "scheduler_hints": request.hints,
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

    def _networks(self, names: typing.Sequence[str]) -> typing.Any:
        if not names:
            return "auto"
        find = self._cloud.network.find_network
        return [{"uuid": find(name, ignore_missing=False).id} for name in names]


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
