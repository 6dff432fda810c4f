# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga availability …``."""

import argparse
import typing

from osc_lib.cli.format_columns import DictColumn

from fpga_client.osc import base, watch

_LIST = (("Flavor", "name"), ("Free", "free"), ("Total", "total"))
_MINE = (("Mine", "mine"),)
_DETAILS = (("Accelerators", "accelerators"), ("Source", "source"), ("Error", "error"))
_FORMATS = {"accelerators": DictColumn, "error": DictColumn}


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mine",
        action="store_true",
        help="Count also what the quotas of your project allow",
    )
    parser.add_argument(
        "--zone",
        metavar="<zone>",
        help="Count the hosts of this availability zone alone",
    )


def _regions(regions: dict[str, int | None]) -> str:
    most = regions["limit"]
    rest = "and no limit of regions" if most is None else f"and may have {most}"
    return f"Your project has {regions['used']} FPGA regions, {rest}."


class ListAvailability(watch.Watchable, base.FpgaLister):
    """List how many servers of each flavor with accelerators can be booted"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """What to count, and whether to watch."""
        parser = super().get_parser(prog_name)
        _add_choices(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the availability."""
        report = self.service.availability(parsed_args.mine, parsed_args.zone)
        self.warn(report)
        if report.regions is not None:
            self.log.warning(_regions(report.regions))
        for flavor in report:
            if flavor.error:
                self.log.warning("%s cannot be counted: %s", flavor.name, flavor.error["detail"])
        return base.rows(report, _LIST + _MINE if parsed_args.mine else _LIST)


class ShowAvailability(watch.Watchable, base.FpgaShow):
    """Show how many servers of a flavor with accelerators can be booted"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The flavor, what to count, and whether to watch."""
        parser = super().get_parser(prog_name)
        parser.add_argument("flavor", metavar="<flavor>", help="Flavor (name or ID)")
        _add_choices(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        report = self.service.find_availability(
            parsed_args.flavor, parsed_args.mine, parsed_args.zone
        )
        self.warn(report)
        mine = _MINE if parsed_args.mine else ()
        columns = (("ID", "id"), *_LIST, *mine, *_DETAILS)
        titles, values = base.fields(report[0], columns, _FORMATS)
        if report.regions is None:
            return titles, values
        regions = (report.regions["used"], report.regions["limit"])
        return (*titles, "Regions Used", "Regions Limit"), (*values, *regions)
