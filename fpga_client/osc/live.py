# SPDX-License-Identifier: Apache-2.0
"""``openstack live image …``: live images by the calls of Nova and Glance for any image."""

import argparse
import typing

from osc_lib.cli import parseractions
from osc_lib.command import command

from fpga_client import live_images
from fpga_client.osc import base

_IMAGES = (
    ("ID", "id"),
    ("Name", "name"),
    ("Status", "status"),
    ("Size", "size"),
    ("Created", "created_at"),
)
_SERVERS = (("ID", "id"), ("Name", "name"), ("Status", "status"))


class _Live(command.Command):  # type: ignore[misc]
    """A command for live images."""

    @property
    def images(self) -> live_images.LiveImages:
        """The user's."""
        return live_images.LiveImages(self.app.client_manager.live)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        return parser


class CreateLiveImage(_Live, command.ShowOne):  # type: ignore[misc]
    """Make a live image of a running server, which goes on"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="<server>", help="Server (name or ID)")
        parser.add_argument("--name", metavar="<name>", help="Name of the image")
        parser.add_argument("--wait", action="store_true", help="Wait until the image is active")
        parser.add_argument(
            "--mapped",
            action="store_true",
            help="Have servers of the image share its memory until they write to it; some programs "
            "notice it",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Have Nova make it."""
        image = self.images.create(
            parsed_args.server, parsed_args.name, parsed_args.wait, parsed_args.mapped
        )
        return base.fields(image, _IMAGES)


class ListLiveImage(_Live, command.Lister):  # type: ignore[misc]
    """List live images"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask Glance."""
        return base.rows(self.images.all(), _IMAGES)


class ListLiveServer(_Live, command.Lister):  # type: ignore[misc]
    """List the servers that were launched from a live image"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The image."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Live image (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask Nova."""
        return base.rows(self.images.servers(self.images.find(parsed_args.image)), _SERVERS)


class LaunchLiveImage(_Live, command.Lister):  # type: ignore[misc]
    """Launch servers from a live image"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The image, and what Nova takes for any server."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="<image>", help="Live image (name or ID)")
        parser.add_argument("name", metavar="<name>", help="Name of the servers")
        parser.add_argument(
            "--flavor", metavar="<flavor>", help="Flavor; default: that of the image's server"
        )
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
        request = live_images.Launch(
            parsed_args.image,
            parsed_args.name,
            parsed_args.flavor,
            parsed_args.count,
            parsed_args.network or (),
            parsed_args.key_name,
            parsed_args.user_data,
            parsed_args.availability_zone,
            parsed_args.security_group or (),
            parsed_args.hint,
        )
        return base.rows(self.images.launch(request), _SERVERS)


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
        self.images.discard(parsed_args.image, parsed_args.force)
