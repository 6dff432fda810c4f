# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga claim …``."""

import argparse
import typing

from osc_lib import exceptions
from osc_lib.cli.format_columns import DictColumn, ListDictColumn

from fpga_client.osc import base, waiting
from fpga_client.resources import Claim

_LIST = (
    ("ID", "id"),
    ("State", "state"),
    ("Host", "host"),
    ("Region", "region"),
    ("Address", "address"),
    ("Expires", "expires_at"),
)
_SHOW = (
    *_LIST,
    ("TTL", "ttl"),
    ("Nodes", "nodes"),
    ("Device", "device"),
    ("Card", "card"),
    ("Board", "board"),
    ("Vendor", "vendor"),
    ("Part", "part"),
    ("Function", "function"),
    ("Bitstream", "bitstream_id"),
    ("Project", "project_id"),
    ("User", "user_id"),
    ("Created", "created_at"),
    ("Updated", "updated_at"),
    ("Fault", "fault"),
)
_FORMATS = {"nodes": ListDictColumn, "fault": DictColumn}

#: The states of a claim that is not yet what it is to be.
_BUSY = ("allocating", "programming")


class CreateClaim(base.FpgaShow):
    """Claim an accelerator without a server (administrators and services)"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What is to be claimed, and for how long."""
        parser = super().get_parser(prog_name)
        for name, text in (
            ("host", "On this compute host"),
            ("device", "On this card: its name on the host, or the ID of its resource provider"),
            ("resource-class", "Of this class in Placement"),
        ):
            parser.add_argument(f"--{name}", metavar=f"<{name}>", help=text)
        parser.add_argument(
            "--trait",
            metavar="<trait>",
            dest="traits",
            action="append",
            help="On a card with this trait (repeat for several)",
        )
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            "--bitstream", metavar="<bitstream>", help="Program this bitstream (name or ID)"
        )
        group.add_argument(
            "--type", metavar="<type>", help="Program the newest bitstream of this type"
        )
        parser.add_argument(
            "--ttl", metavar="<seconds>", type=int, help="Seconds after which the claim expires"
        )
        parser.add_argument(
            "--id", metavar="<uuid>", help="Its own ID: the same request again makes no other claim"
        )
        waiting.add_arguments(parser, "claim")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Claim."""
        names = ("id", "host", "device", "resource_class", "traits", "type", "ttl")
        request = {name: getattr(parsed_args, name) for name in names}
        if parsed_args.bitstream:
            request["bitstream"] = self.service.find_bitstream(parsed_args.bitstream).id
        claim = self.service.create_claim(**request)
        if parsed_args.wait:
            claim = waiting.wait(
                lambda: self.service.get_claim(claim.id), _BUSY, parsed_args.timeout, "claim"
            )
            _see(claim)
        return base.fields(claim, _SHOW, _FORMATS)


def _see(claim: Claim) -> None:
    """See that a claim has its accelerator.

    :raises osc_lib.exceptions.CommandError: it has none
    """
    if claim.state == "active":
        return
    fault = claim.fault or {}
    raise exceptions.CommandError(
        f"the claim {claim.id} is {claim.state}: {fault.get('detail')} ({fault.get('code')})"
    )


class ListClaim(base.FpgaLister):
    """List the claims of your project; for administrators, those of all projects"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--state", metavar="<state>", help="Filter by the state")
        parser.add_argument(
            "--project", metavar="<project>", help="Filter by the project (ID; administrators)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the claims."""
        report = self.service.claims(state=parsed_args.state, project=parsed_args.project)
        return base.rows(report, _LIST)


class ShowClaim(base.FpgaShow):
    """Show a claim"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The claim."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claim", metavar="<claim>", help="Claim (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        return base.fields(self.service.get_claim(parsed_args.claim), _SHOW, _FORMATS)


class SetClaim(base.FpgaCommand):
    """Renew a claim"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The claim, and how long it lasts from now on."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claim", metavar="<claim>", help="Claim (ID)")
        parser.add_argument(
            "--ttl",
            metavar="<seconds>",
            type=int,
            required=True,
            help="Seconds from now after which the claim expires",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Renew it."""
        self.service.renew_claim(parsed_args.claim, parsed_args.ttl)


class DeleteClaim(base.FpgaCommand):
    """Release claim(s); their regions are erased"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The claims."""
        parser = super().get_parser(prog_name)
        parser.add_argument("claims", metavar="<claim>", nargs="+", help="Claim(s) to release (ID)")
        waiting.add_arguments(parser, "release")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Release each, also where another one was refused."""

        def release(claim: str) -> None:
            self.service.release_claim(claim)
            if parsed_args.wait:
                waiting.wait(
                    lambda: self.service.get_claim(claim),
                    ("releasing",),
                    parsed_args.timeout,
                    "claim",
                )

        self.each(parsed_args.claims, release, "claims", "released")
