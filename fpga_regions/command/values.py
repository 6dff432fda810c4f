# SPDX-License-Identifier: Apache-2.0
"""Reads the values of options on the command line; argparse reports what is raised here."""

import argparse
import uuid


def uuid_of(value: str) -> str:
    """A uuid, in small letters."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a UUID") from None


def count_of(value: str) -> int:
    """A number from 1."""
    if not value.isdecimal() or int(value) < 1 or int(value) > 2**31:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number from 1")
    return int(value)
