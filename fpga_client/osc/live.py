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
        _add_networks(parser)
        parser.add_argument("--key-name", metavar="<key>", help="Key pair")
        parser.add_argument("--user-data", metavar="<file>", help="File with user data")
        parser.add_argument("--availability-zone", metavar="<zone>", help="Availability zone")
        parser.add_argument(
            "--security-group",
            metavar="<group>",
            action="append",
            help="Security group; repeat it for several",
        )
        parser.add_argument("--server-group", metavar="<group>", help="Server group (name or ID)")
        parser.add_argument(
            "--hint",
            metavar="<key=value>",
            action=parseractions.KeyValueAppendAction,
            default={},
            help="Scheduler hint; repeat it for several",
        )
        parser.add_argument(
            "--property",
            metavar="<key=value>",
            action=parseractions.KeyValueAction,
            default={},
            help="Property of the servers; repeat it for several",
        )
        parser.add_argument(
            "--use-config-drive",
            action="store_true",
            help="Give the servers a config drive, which they need if the image's server has one",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Have Nova make the servers."""
        request = live_images.Launch(
            parsed_args.image,
            name=parsed_args.name,
            flavor=parsed_args.flavor,
            count=parsed_args.count,
            nics=parsed_args.nics,
            key_name=parsed_args.key_name,
            user_data=parsed_args.user_data,
            availability_zone=parsed_args.availability_zone,
            security_groups=parsed_args.security_group or (),
            server_group=parsed_args.server_group,
            hints=parsed_args.hint,
            properties=parsed_args.property,
            config_drive=parsed_args.use_config_drive,
        )
        return base.rows(self.images.launch(request), _SERVERS)


def _add_networks(parser: argparse.ArgumentParser) -> None:
    """The options of ``openstack server create`` for networks."""
    for name, prefix, what in (
        ("network", "net-id", "Network (name or ID); default: as Nova chooses"),
        ("port", "port-id", "Port (name or ID), for one server"),
    ):
        parser.add_argument(
            f"--{name}",
            metavar=f"<{name}>",
            dest="nics",
            action="append",
            type=f"{prefix}={{}}".format,
            help=f"{what}; repeat it for several",
        )
    parser.add_argument(
        "--no-network", dest="nics", action="append_const", const="none", help="Have no network"
    )
    parser.add_argument(
        "--nic",
        metavar="<net-id=ID,port-id=ID,v4-fixed-ip=IP,v6-fixed-ip=IP,tag=TAG,auto,none>",
        dest="nics",
        action="append",
        help="Network or port, as 'openstack server create' takes it; repeat it for several",
    )
    parser.set_defaults(nics=[])


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
