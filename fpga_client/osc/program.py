# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga program …``."""

import argparse
import pathlib
import typing

from osc_lib import exceptions
from osc_lib.cli.format_columns import DictColumn

from fpga_client.build import package, synthesis
from fpga_client.osc import base, waiting
from fpga_client.resources import Program, Region

_LIST = (
    ("ID", "id"),
    ("Server", "server_id"),
    ("Number", "number"),
    ("Bitstream", "bitstream_id"),
    ("State", "state"),
)
_SHOW = (
    *_LIST,
    ("Previous", "previous_id"),
    ("Region", "region"),
    ("Restored", "is_restored"),
    ("Reboot", "reboot"),
    ("Reboot Required", "is_reboot_required"),
    ("Project", "project_id"),
    ("Created", "created_at"),
    ("Updated", "updated_at"),
    ("Fault", "fault"),
)
_FORMATS = {"fault": DictColumn}

#: The states of a program that is not at its end.
_BUSY = ("requested", "running")

#: Seconds after which a server without regions is taken for one; the service asks its host in less.
_REGIONS = 60.0


class CreateProgram(base.FpgaShow):
    """Program a region of a running server"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The server, what to program, and how."""
        parser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="<server>", help="Server (name or ID)")
        parser.add_argument(
            "bitstream", metavar="<bitstream>", nargs="?", help="Bitstream (name or ID)"
        )
        parser.add_argument(
            "--number",
            metavar="<number>",
            type=int,
            default=1,
            help="Number of the region among those of the server (default: 1)",
        )
        parser.add_argument(
            "--reboot",
            choices=("never", "if_needed"),
            default="never",
            help="Whether the server may be rebooted if it does not see the function else",
        )
        waiting.add_arguments(parser, "program")
        _add_build(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Build what is to be built, upload it, and have it programmed."""
        server = self.app.client_manager.sdk_connection.compute.find_server(
            parsed_args.server, ignore_missing=False
        )
        bitstream = self._bitstream(parsed_args, server.id)
        program = self.service.create_program(
            server.id, bitstream, number=parsed_args.number, reboot=parsed_args.reboot
        )
        # A hidden bitstream is the service's to delete, so it has to have been programmed.
        if parsed_args.wait or parsed_args.bitstream is None:
            program = waiting.wait(
                lambda: self.service.get_program(program.id), _BUSY, parsed_args.timeout, "program"
            )
            _see(program)
        return base.fields(program, _SHOW, _FORMATS)

    def _bitstream(self, parsed_args: argparse.Namespace, server: str) -> str:
        """The id of the bitstream, uploaded if it was built here."""
        given = (parsed_args.bitstream, parsed_args.source, parsed_args.bitfile)
        if sum(one is not None for one in given) != 1:
            raise exceptions.CommandError("give a bitstream, --source or --bitfile: one of them")
        if parsed_args.bitstream is not None:
            found = self.service.find_bitstream(parsed_args.bitstream).id
        else:
            file = self._build(parsed_args, self._region(server, parsed_args.number))
            found = self.service.create_bitstream(file, parsed_args.name, server=server).id
        return typing.cast(str, found)

    def _region(self, server: str, number: int) -> Region:
        """The region of a server, whose place the new bitstream takes."""
        # The service learns of a server's regions some seconds after the boot.
        regions = waiting.for_some(lambda: list(self.service.regions(server=server)), _REGIONS)
        for region in regions:
            if region.number == number:
                return region
        raise exceptions.CommandError(f"the service knows no region {number} of server {server}")

    def _build(self, parsed_args: argparse.Namespace, region: Region) -> typing.BinaryIO:
        first = (parsed_args.source or [parsed_args.bitfile])[0]
        part = parsed_args.part or _part(region, parsed_args.source is not None)
        try:
            bitfile = (
                first.read_bytes()
                if parsed_args.source is None
                else synthesis.build(parsed_args.source, parsed_args.top, part, parsed_args.pins)
            )
            name = parsed_args.name or first.stem
            function = parsed_args.function or first.stem
            return package.write(package.manifest(region, part, name, function, bitfile), bitfile)
        except (synthesis.BuildError, package.UnknownRegionError) as e:
            raise exceptions.CommandError(str(e)) from e
        except OSError as e:
            raise exceptions.CommandError(f"{first} cannot be read: {e.strerror}") from e


def _part(region: Region, source: bool) -> str:
    """The part of a region for which the bitfile is, or is to be built.

    :param source: whether it is to be built
    :raises osc_lib.exceptions.CommandError: there is none, or are several
    """
    found = package.parts(region)
    if source:
        found = [one for one in found if one in synthesis.PARTS] or found
    if len(found) != 1:
        names = ", ".join(found) or "none that is known"
        raise exceptions.CommandError(f"the parts of the region are {names}: choose by --part")
    return found[0]


def _add_build(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "instead of a bitstream",
        "The bitstream is uploaded for this server alone. It is hidden, and deleted when another"
        " program has taken its place, or with the server.",
    )
    group.add_argument(
        "--source",
        metavar="<file>",
        type=pathlib.Path,
        nargs="+",
        help="Verilog for a Lattice iCE40: yosys, nextpnr-ice40 and icepack build it",
    )
    group.add_argument(
        "--bitfile", metavar="<file>", type=pathlib.Path, help="What the vendor's tools built"
    )
    group.add_argument(
        "--top", metavar="<module>", default="top", help="Top module of --source (default: top)"
    )
    group.add_argument(
        "--pins",
        metavar="<file>",
        type=pathlib.Path,
        help="Constraints of --source in PCF (default: those of the emulator's shell)",
    )
    group.add_argument(
        "--part",
        metavar="<part>",
        help="Part that the bitfile is for (default: that of the region, if it is one)",
    )
    group.add_argument(
        "--function",
        metavar="<name>",
        help="Function that the region shows (default: name of the file)",
    )
    group.add_argument(
        "--name", metavar="<name>", help="Name of the bitstream (default: name of the file)"
    )


def _see(program: Program) -> None:
    """See that a program succeeded.

    :raises osc_lib.exceptions.CommandError: it did not
    """
    if program.state == "done":
        return
    fault = program.fault or {}
    back = {True: " The function from before is back.", False: " The region is lost."}
    raise exceptions.CommandError(
        f"the program {program.id} {program.state}: {fault.get('detail')} ({fault.get('code')})."
        f"{back.get(program.is_restored, '')}"
    )


class ListProgram(base.FpgaLister):
    """List the programs of your servers"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--server", metavar="<server>", help="Filter by the server (ID)")
        parser.add_argument(
            "--project", metavar="<project>", help="Filter by the project (ID; administrators)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the programs."""
        report = self.service.programs(server=parsed_args.server, project=parsed_args.project)
        return base.rows(report, _LIST)


class ShowProgram(base.FpgaShow):
    """Show a program"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The program."""
        parser = super().get_parser(prog_name)
        parser.add_argument("program", metavar="<program>", help="Program (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        return base.fields(self.service.get_program(parsed_args.program), _SHOW, _FORMATS)
