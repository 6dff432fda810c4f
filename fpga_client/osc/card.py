# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga card …``."""

import argparse
import typing

from osc_lib.cli.format_columns import ListColumn

from fpga_client.osc import base

_FORMATS = {"devices": ListColumn, "vendors": ListColumn, "boards": ListColumn}
_LIST = (
    ("ID", "id"),
    ("Host", "host"),
    ("Devices", "devices"),
    ("Boards", "boards"),
    ("Regions", "total"),
    ("Free", "free"),
    ("Used", "used"),
    ("Quarantined", "quarantined"),
)
_SHOW = (*_LIST, ("Name", "name"), ("Vendors", "vendors"))


class ListCard(base.FpgaLister):
    """List the FPGA cards of all hosts (operators)"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filter."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--host", metavar="<host>", help="Filter by the compute host")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the cards."""
        report = self.service.cards(parsed_args.host)
        self.warn(report)
        return base.rows(report, _LIST, _FORMATS)


class ShowCard(base.FpgaShow):
    """Show an FPGA card (operators)"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The card."""
        parser = super().get_parser(prog_name)
        parser.add_argument("card", metavar="<card>", help="Card (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        return base.fields(self.service.get_card(parsed_args.card), _SHOW, _FORMATS)
