# SPDX-License-Identifier: Apache-2.0
"""The option --version of each of our commands."""

import argparse
import typing


class ShowVersion(argparse.Action):
    """Prints the command's name and the version of fpga-nova, and ends the process."""

    def __init__(self, option_strings: typing.Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings,
            argparse.SUPPRESS,
            nargs=0,
            default=argparse.SUPPRESS,
            help="show the version of fpga-nova and exit",
        )

    def __call__(self, parser: argparse.ArgumentParser, *_parsed: object) -> typing.NoReturn:
        # Only here: reading it takes longer than the rest of the command line.
        import importlib.metadata

        print(f"{parser.prog} {importlib.metadata.version('fpga-nova')}")
        parser.exit()
