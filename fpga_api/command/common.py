# SPDX-License-Identifier: Apache-2.0
"""What the commands of the service share: how they find their configuration, and how they fail."""

import argparse
import sys

from fpga_api import options
from fpga_nova.version import ShowVersion


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The parser of a command, with the options that all commands have."""
    new = argparse.ArgumentParser(prog=prog, description=description)
    new.add_argument("--version", action=ShowVersion)
    new.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help=f"configuration of the service (default: {options.DEFAULT_FILE})",
    )
    return new


def fail(prog: str, status: int, why: str) -> int:
    """Print the reason of a failure; gives the exit status back."""
    print(f"Error: {prog} - {why}", file=sys.stderr)
    return status
