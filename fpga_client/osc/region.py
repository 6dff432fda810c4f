# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga region …``."""

import argparse
import typing

from osc_lib.cli.format_columns import ListDictColumn

from fpga_client.osc import base

_LIST = (
    ("ID", "id"),
    ("State", "state"),
    ("Server", "server_id"),
    ("Function", "function"),
    ("Board", "board"),
    ("Host", "host"),
)
_SHOW = (
    ("ID", "id"),
    ("State", "state"),
    ("Server", "server_id"),
    ("Claim", "claim_id"),
    ("Project", "project_id"),
    ("Number", "number"),
    ("Bitstream", "bitstream_id"),
    ("Function", "function"),
    ("Digest", "digest"),
    ("Vendor", "vendor"),
    ("Board", "board"),
    ("Part", "part"),
    ("Driver", "driver"),
    ("Simulated", "is_simulated"),
    ("Healthy", "is_healthy"),
    ("Since", "since"),
    ("Seen", "at"),
    ("Nodes", "nodes"),
    ("Host", "host"),
    ("Card", "card"),
    ("Device", "device"),
    ("Address", "address"),
    ("Quarantine", "quarantine"),
    ("Reason", "reason"),
    ("Withheld", "is_withheld"),
)
_FORMATS = {"nodes": ListDictColumn}


class ListRegion(base.FpgaLister):
    """List the FPGA regions of your servers; for operators, those of all hosts"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        for name, text in (
            ("host", "the compute host"),
            ("server", "the server (ID)"),
            ("state", "the state, as programmed, free, claimed or quarantined"),
        ):
            parser.add_argument(f"--{name}", metavar=f"<{name}>", help=f"Filter by {text}")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the regions."""
        report = self.service.regions(
            host=parsed_args.host, server=parsed_args.server, state=parsed_args.state
        )
        self.warn(report)
        return base.rows(report, _LIST)


class ShowRegion(base.FpgaShow):
    """Show an FPGA region"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The region."""
        parser = super().get_parser(prog_name)
        parser.add_argument("region", metavar="<region>", help="Region (ID)")
        parser.add_argument(
            "--host",
            metavar="<host>",
            help="Its compute host, where several have a region of this ID (operators)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        region = self.service.get_region(parsed_args.region, parsed_args.host)
        return base.fields(region, _SHOW, _FORMATS)
