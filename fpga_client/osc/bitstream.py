# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga bitstream …``."""

import argparse
import contextlib
import os
import typing

from openstackclient.common import progressbar
from osc_lib import exceptions
from osc_lib.cli.format_columns import DictColumn

from fpga_client.osc import base

_LIST = (
    ("ID", "id"),
    ("Name", "name"),
    ("Function", "function"),
    ("Board", "board"),
    ("Vendor", "vendor"),
    ("Type", "type"),
    ("Visibility", "visibility"),
)
_LONG = (("Size", "size"), ("Status", "status"), ("Project", "project_id"))
_SHOW = (
    *_LIST,
    ("Part", "part"),
    ("Version", "version"),
    *_LONG,
    ("Created", "created_at"),
    ("Updated", "updated_at"),
    ("Manifest", "manifest"),
)
_VALID = (("Digest", "digest"), ("Manifest", "manifest"))
_FORMATS = {"manifest": DictColumn}
_VISIBILITIES = ("public", "private", "community")


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="<file>", help="Bitstream package: a zip with a manifest")
    parser.add_argument(
        "--progress",
        action="store_true",
        default=False,
        help="Show a progress bar of the upload, if standard output is a terminal",
    )


@contextlib.contextmanager
def _opened(path: str, progress: bool) -> typing.Iterator[typing.BinaryIO]:
    """A package to upload. Not every OSError is the file's: a refusal of the service is one, too.

    :raises osc_lib.exceptions.CommandError: it cannot be read, or is empty
    """
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115
    except OSError as e:
        raise exceptions.CommandError(f"{path} cannot be read: {e.strerror}") from e
    with file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise exceptions.CommandError(f"{path} is empty; a bitstream package is a zip.")
        yield progressbar.VerboseFileWrapper(file, size) if progress else file


class CreateBitstream(base.FpgaShow):
    """Check a bitstream package and upload it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options: the package, its name, its visibility."""
        parser = super().get_parser(prog_name)
        _add_package(parser)
        parser.add_argument(
            "--name",
            metavar="<name>",
            help="Name of the image (default: the name in the manifest)",
        )
        group = parser.add_mutually_exclusive_group()
        for visibility, who in zip(
            _VISIBILITIES,
            (
                "all projects (needs the right in Glance)",
                "this project and the FPGA service (default)",
                "all projects, but not in their lists",
            ),
            strict=True,
        ):
            group.add_argument(
                f"--{visibility}",
                dest="visibility",
                action="store_const",
                const=visibility,
                help=f"Bitstream is accessible to {who}",
            )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Upload the package."""
        with _opened(parsed_args.file, parsed_args.progress) as file:
            bitstream = self.service.create_bitstream(
                file, parsed_args.name, parsed_args.visibility
            )
        return base.fields(bitstream, _SHOW, _FORMATS)


class ValidateBitstream(base.FpgaShow):
    """Check a bitstream package without an upload"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The package."""
        parser = super().get_parser(prog_name)
        _add_package(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Have the package checked."""
        with _opened(parsed_args.file, parsed_args.progress) as file:
            return base.fields(self.service.validate_bitstream(file), _VALID, _FORMATS)


class ListBitstream(base.FpgaLister):
    """List the bitstreams that you may use"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--long", action="store_true", help="List additional fields")
        for name, text in (
            ("function", "the function"),
            ("board", "the board"),
            ("vendor", "the vendor"),
            ("type", "the sort of accelerator"),
        ):
            parser.add_argument(f"--{name}", metavar=f"<{name}>", help=f"Filter by {text}")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the bitstreams."""
        names = ("function", "board", "vendor", "type")
        report = self.service.bitstreams(**{name: getattr(parsed_args, name) for name in names})
        self.warn(report)
        return base.rows(report, _LIST + _LONG if parsed_args.long else _LIST)


class ShowBitstream(base.FpgaShow):
    """Show a bitstream"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The bitstream."""
        parser = super().get_parser(prog_name)
        parser.add_argument("bitstream", metavar="<bitstream>", help="Bitstream (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        bitstream = self.service.find_bitstream(parsed_args.bitstream)
        return base.fields(bitstream, _SHOW, _FORMATS)


class DeleteBitstream(base.FpgaCommand):
    """Delete bitstream(s) that no flavor and no region uses"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The bitstreams."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "bitstreams",
            metavar="<bitstream>",
            nargs="+",
            help="Bitstream(s) to delete (name or ID)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Delete each, also where another one was refused."""
        self.each(parsed_args.bitstreams, self._delete, "bitstreams", "deleted")

    def _delete(self, bitstream: str) -> None:
        self.service.delete_bitstream(self.service.find_bitstream(bitstream).id)
