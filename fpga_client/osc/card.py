# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga card …``."""

import argparse
import typing

from fpga_client.osc import base

_LIST = (
    ("ID", "id"),
    ("Host", "host"),
    ("Device", "device"),
    ("Board", "board"),
    ("Vendor", "vendor"),
    ("Regions", "total"),
    ("Used", "used"),
    ("Quarantined", "quarantined"),
)


class ListCard(base.FpgaLister):
    """List the FPGA cards of all hosts (operators)"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the cards."""
        report = self.service.cards()
        self.warn(report)
        return base.rows(report, _LIST)


class ShowCard(base.FpgaShow):
    """Show an FPGA card (operators)"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The card."""
        parser = super().get_parser(prog_name)
        parser.add_argument("card", metavar="<card>", help="Card (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        return base.fields(self.service.get_card(parsed_args.card), _LIST)
