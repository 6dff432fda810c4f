# SPDX-License-Identifier: Apache-2.0
"""``nova bless``, ``nova launch`` and ``nova discard``: live images for who has the old client.

The client finds this module by the group ``novaclient.extension``, and its commands by their names.
The connection is openstacksdk's, with the credentials that the client has, so that nothing of the
client is imported.
"""

import argparse
import typing

import openstack
from keystoneauth1 import session
from osc_lib import exceptions as osc

from fpga_client import live_images

#: The words and options of argparse's ``add_argument``.
_Argument = tuple[tuple[str, ...], dict[str, typing.Any]]
_Command = typing.Callable[[typing.Any, typing.Any], None]


def _takes(*arguments: _Argument) -> typing.Callable[[_Command], _Command]:
    """Give a command its arguments, where the client looks for them."""

    def decorate(command: _Command) -> _Command:
        command.arguments = list(arguments)  # type: ignore[attr-defined]
        return command

    return decorate


def _argument(*words: str, **options: typing.Any) -> _Argument:
    return words, options


_IMAGE = _argument("image", metavar="<image>", help="Name or ID of a live image.")


@_takes(
    _argument("server", metavar="<server>", help="Name or ID of a server that runs."),
    _argument("--name", metavar="<name>", help="Name of the live image."),
    _argument("--poll", action="store_true", help="Wait until the live image is active."),
    _argument("--mapped", action="store_true", help="Its servers share memory until they write."),
)
def do_bless(cs: typing.Any, args: argparse.Namespace) -> None:
    """Make a live image of a running server, which goes on."""
    _print([_images(cs).create(args.server, args.name, args.poll, args.mapped)])


@_takes(
    _IMAGE,
    _argument("--name", metavar="<name>", help="Name of the servers; default: that of the image."),
    _argument("--flavor", metavar="<flavor>", help="Default: that of the image's server."),
    _argument("--num-instances", metavar="<number>", type=int, default=1, help="How many."),
    _argument("--user-data", metavar="<file>", help="File with user data."),
    _argument("--key-name", metavar="<key>", help="Key pair."),
    _argument("--availability-zone", metavar="<zone>", help="Availability zone."),
    _argument("--security-groups", metavar="<groups>", help="Names with commas between them."),
    _argument(
        "--hint",
        metavar="<key=value>",
        action="append",
        default=[],
        help="Hint for the scheduler; may be repeated.",
    ),
    _argument(
        "--nic",
        metavar="<network>",
        action="append",
        default=[],
        help="Name or ID of a network, or as a boot takes it, such as net-id=ID,tag=TAG or "
        "port-id=ID; may be repeated.",
    ),
    _argument(
        "--meta",
        metavar="<key=value>",
        action="append",
        default=[],
        help="Metadata of the servers; may be repeated.",
    ),
    _argument(
        "--config-drive",
        metavar="<value>",
        choices=("true", "false"),
        help="Give the servers a config drive, which they need if the image's server has one.",
    ),
)
def do_launch(cs: typing.Any, args: argparse.Namespace) -> None:
    """Launch servers from a live image."""
    request = live_images.Launch(
        args.image,
        name=args.name,
        flavor=args.flavor,
        count=args.num_instances,
        nics=[
            one if "=" in one or one in ("auto", "none") else f"net-id={one}" for one in args.nic
        ],
        key_name=args.key_name,
        user_data=args.user_data,
        availability_zone=args.availability_zone,
        security_groups=args.security_groups.split(",") if args.security_groups else (),
        hints=_hints(args.hint),
        properties=dict(_pair(one) for one in args.meta),
        config_drive=args.config_drive == "true",
    )
    _print(_images(cs).launch(request))


@_takes(
    _IMAGE,
    _argument("--force", action="store_true", help="Delete it though servers were made of it."),
)
def do_discard(cs: typing.Any, args: argparse.Namespace) -> None:
    """Delete a live image."""
    _images(cs).discard(args.image, args.force)


def _images(cs: typing.Any) -> live_images.LiveImages:
    """The user's live images.

    :param cs: the client
    """
    known = cs.client.session
    # The client keeps the session and the credentials apart.
    auth = cs.client.auth or known.auth
    found = session.Session(auth, verify=known.verify, cert=known.cert, timeout=known.timeout)
    cloud = openstack.connection.Connection(session=found, region_name=cs.client.region_name)
    return live_images.LiveImages(cloud)


def _hints(texts: typing.Iterable[str]) -> dict[str, list[str]]:
    """The values of each hint."""
    found: dict[str, list[str]] = {}
    for key, value in map(_pair, texts):
        found.setdefault(key, []).append(value)
    return found


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise osc.CommandError(f"{text} is not of the form key=value")
    return key, value


def _print(resources: typing.Iterable[typing.Any]) -> None:
    """A line for each image or server: id, status, name."""
    for one in resources:
        print(one.id, (one.status or "").upper(), one.name, sep="  ")
