# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga opencl session …``."""

import argparse
import typing

from osc_lib import exceptions
from osc_lib.cli.format_columns import DictColumn

from fpga_client.opencl import Opened
from fpga_client.osc import base, waiting
from fpga_client.osc.opencl import TYPES

_LIST = (
    ("ID", "id"),
    ("State", "state"),
    ("Node", "node"),
    ("Address", "address"),
    ("Expires", "expires_at"),
)
_SHOW = (
    *_LIST,
    ("Device", "device_id"),
    ("Memory", "memory"),
    ("TTL", "ttl"),
    ("Token Expires", "token_expires_at"),
    ("Certificate", "certificate"),
    ("Project", "project_id"),
    ("User", "user_id"),
    ("Created", "created_at"),
    ("Updated", "updated_at"),
    ("Fault", "fault"),
)
_FORMATS = {"fault": DictColumn}


def _fields(opened: Opened) -> tuple[typing.Any, typing.Any]:
    """A session with its token."""
    titles, values = base.fields(opened.session, _SHOW, _FORMATS)
    return (*titles, "Token"), (*values, opened.token)


class CreateSession(base.FpgaShow):
    """Open a session on a device of OpenCL; the token is shown once"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Where the session is to be, and for how long."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--device", metavar="<device>", help="On this device (ID)")
        parser.add_argument("--node", metavar="<name>", help="On a device of this node (name)")
        parser.add_argument("--type", choices=TYPES, help="On a device of this type")
        parser.add_argument(
            "--memory", metavar="<MiB>", type=int, help="Memory of its workers, with buffers"
        )
        parser.add_argument(
            "--ttl", metavar="<seconds>", type=int, help="Seconds after which it expires"
        )
        parser.add_argument(
            "--id", metavar="<uuid>", help="Its own ID: the same request again opens no other"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Open it."""
        names = ("id", "device", "node", "type", "memory", "ttl")
        request = {name: getattr(parsed_args, name) for name in names}
        return _fields(self.service.create_opencl_session(**request))


class ListSession(base.FpgaLister):
    """List the sessions of your project; for administrators, those of all projects"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--state", metavar="<state>", help="Filter by the state")
        parser.add_argument(
            "--project", metavar="<project>", help="Filter by the project (ID; administrators)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the sessions."""
        query = {"state": parsed_args.state, "project": parsed_args.project}
        return base.rows(self.service.opencl_sessions(**query), _LIST)


class ShowSession(base.FpgaShow):
    """Show a session"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The session."""
        parser = super().get_parser(prog_name)
        parser.add_argument("session", metavar="<session>", help="Session (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        found = self.service.get_opencl_session(parsed_args.session)
        return base.fields(found, _SHOW, _FORMATS)


class SetSession(base.FpgaShow):
    """Renew a session, or get a new token for it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The session, and what is to be renewed."""
        parser = super().get_parser(prog_name)
        parser.add_argument("session", metavar="<session>", help="Session (ID)")
        parser.add_argument(
            "--ttl",
            metavar="<seconds>",
            type=int,
            help="Seconds from now after which the session expires",
        )
        parser.add_argument(
            "--token",
            action="store_true",
            help="Show a new token; the one before opens no connections any more",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Renew it."""
        session, ttl = parsed_args.session, parsed_args.ttl
        if ttl is None and not parsed_args.token:
            raise exceptions.CommandError("give --ttl, --token, or both")
        if ttl is not None:
            found = self.service.renew_opencl_session(session, ttl)
        if parsed_args.token:
            return _fields(self.service.renew_opencl_token(session))
        return base.fields(found, _SHOW, _FORMATS)


class DeleteSession(base.FpgaCommand):
    """End session(s), with all that they have on their nodes"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The sessions."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "sessions", metavar="<session>", nargs="+", help="Session(s) to end (ID)"
        )
        waiting.add_arguments(parser, "session")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """End each, also where another one was refused."""

        def end(session: str) -> None:
            self.service.close_opencl_session(session)
            if parsed_args.wait:
                waiting.wait(
                    lambda: self.service.get_opencl_session(session),
                    ("closing",),
                    parsed_args.timeout,
                    "session",
                )

        self.each(parsed_args.sessions, end, "sessions", "ended")
