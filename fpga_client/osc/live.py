# SPDX-License-Identifier: Apache-2.0
"""``openstack live image …``: live images by the calls of Nova and Glance for any image."""

import argparse
import base64
import pathlib
import typing

from osc_lib import exceptions as osc
from osc_lib.cli import parseractions
from osc_lib.command import command

from fpga_client.osc import base

#: The container format of live images in Glance.
_FORMAT = "live"
#: Asks Nova's driver for one.
_REQUEST = {"live_image": "true"}

_IMAGES = (
    ("ID", "id"),
    ("Name", "name"),
    ("Status", "status"),
    ("Size", "size"),
    ("Created", "created_at"),
)
_SERVERS = (("ID", "id"), ("Name", "name"), ("Status", "status"))
_SECONDS = 3600


class _Live(command.Command):  # type: ignore[misc]
    """A command for live images."""

    @property
    def cloud(self) -> typing.Any:
        """The connection to Nova and Glance."""
        return self.app.client_manager.live

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        return parser

    def live_image(self, name: str) -> typing.Any:
        """A live image by its name or id.

        :raises osc_lib.exceptions.CommandError: there is none, or it is another kind of image
        """
        image = self.cloud.image.find_image(name, ignore_missing=True)
        if image is None:
            raise osc.CommandError(f"No image is called {name}")
        if image.container_format != _FORMAT:
            raise osc.CommandError(f"{name} is not a live image")
        return image

    def servers_of(self, image: typing.Any) -> list[typing.Any]:
        """The servers that were made of an image."""
        return list(self.cloud.compute.servers(image=image.id))


class CreateLiveImage(_Live, command.ShowOne):  # type: ignore[misc]
    """Make a live image of a running server, which goes on"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="<server>", help="Server (name or ID)")
        parser.add_argument("--name", metavar="<name>", help="Name of the image")
        parser.add_argument("--wait", action="store_true", help="Wait until the image is active")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Have Nova make it."""
        server = self.cloud.compute.find_server(parsed_args.server, ignore_missing=False)
        image = self.cloud.compute.create_server_image(
            server,
            parsed_args.name or server.name,
            metadata=_REQUEST,
            wait=parsed_args.wait,
            timeout=_SECONDS,
        )
        return base.fields(image, _IMAGES)


class ListLiveImage(_Live, command.Lister):  # type: ignore[misc]
    """List live images"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask Glance."""
        return base.rows(self.cloud.image.images(container_format=_FORMAT), _IMAGES)


class ListLiveServer(_Live, command.Lister):  # type: ignore[misc]
    """List the servers that were launched from a live image"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The image."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Live image (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask Nova."""
        return base.rows(self.servers_of(self.live_image(parsed_args.image)), _SERVERS)


class LaunchLiveImage(_Live, command.Lister):  # type: ignore[misc]
    """Launch servers from a live image"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The image, and what Nova takes for any server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Live image (name or ID)")
        parser.add_argument("name", metavar="<name>", help="Name of the servers")
        parser.add_argument("--flavor", metavar="<flavor>", required=True, help="Flavor")
        parser.add_argument(
            "--count", metavar="<count>", type=int, default=1, help="Number of servers"
        )
        parser.add_argument(
            "--network",
            metavar="<network>",
            action="append",
            help="Network (name or ID); repeat it for several; default: as Nova chooses",
        )
        parser.add_argument("--key-name", metavar="<key>", help="Key pair")
        parser.add_argument("--user-data", metavar="<file>", help="File with user data")
        parser.add_argument("--availability-zone", metavar="<zone>", help="Availability zone")
        parser.add_argument(
            "--security-group",
            metavar="<group>",
            action="append",
            help="Security group; repeat it for several",
        )
        parser.add_argument(
            "--hint",
            metavar="<key=value>",
            action=parseractions.KeyValueAction,
            help="Scheduler hint; repeat it for several",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Have Nova make the servers."""
        compute = self.cloud.compute
        image = self.live_image(parsed_args.image)
        flavor = compute.find_flavor(parsed_args.flavor, ignore_missing=False)
        networks: typing.Any = "auto"
        if parsed_args.network:
            find = self.cloud.network.find_network
            networks = [{"uuid": find(one, ignore_missing=False).id} for one in parsed_args.network]
        options = {
            "key_name": parsed_args.key_name,
            "user_data": _encoded(parsed_args.user_data),
            "availability_zone": parsed_args.availability_zone,
            "security_groups": [{"name": one} for one in parsed_args.security_group or ()],
            "scheduler_hints": parsed_args.hint,
        }
        names = [parsed_args.name]
        if parsed_args.count > 1:
            names = [f"{parsed_args.name}-{number}" for number in range(1, parsed_args.count + 1)]
        servers = [
            compute.create_server(
                name=name,
                image_id=image.id,
                flavor_id=flavor.id,
                networks=networks,
                **{key: value for key, value in options.items() if value},
            )
            for name in names
        ]
        return base.rows([compute.get_server(server.id) for server in servers], _SERVERS)


class DiscardLiveImage(_Live):
    """Delete a live image"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The image."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Live image (name or ID)")
        parser.add_argument(
            "--force", action="store_true", help="Delete it though servers were made of it"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Have Glance delete it."""
        image = self.live_image(parsed_args.image)
        servers = self.servers_of(image)
        if servers and not parsed_args.force:
            names = ", ".join(server.name for server in servers)
            raise osc.CommandError(
                f"Servers were made of it: {names} - delete them first, or use --force"
            )
        self.cloud.image.delete_image(image.id)


def _encoded(file: str | None) -> str | None:
    """User data as Nova takes it."""
    if file is None:
        return None
    try:
        return base64.b64encode(pathlib.Path(file).read_bytes()).decode()
    except OSError as e:
        raise osc.CommandError(f"{file} cannot be read: {e.strerror}") from e
