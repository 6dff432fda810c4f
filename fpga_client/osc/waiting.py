# SPDX-License-Identifier: Apache-2.0
"""``--wait``: a command that ends when what it began has come to its end."""

import argparse
import threading
import time
import typing

from osc_lib import exceptions

_T = typing.TypeVar("_T")

#: Seconds between two questions, and in all by default.
_PAUSE, _PATIENCE = 0.5, 600


def add_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--wait`` and ``--timeout``."""
    parser.add_argument("--wait", action="store_true", help=f"Wait for the end of the {what}")
    parser.add_argument(
        "--timeout",
        metavar="<seconds>",
        type=int,
        default=_PATIENCE,
        help=f"Most seconds of --wait (default: {_PATIENCE})",
    )


def wait(
    read: typing.Callable[[], _T], states: typing.Container[str], timeout: float, what: str
) -> _T:
    """What is read when it is in none of some states any more.

    :param states: those that are not the end
    :raises osc_lib.exceptions.CommandError: it was not in time; nothing is undone
    """
    pause, end = threading.Event(), time.monotonic() + timeout
    while True:
        found: typing.Any = read()
        if found.state not in states:
            return typing.cast(_T, found)
        if time.monotonic() > end:
            raise exceptions.CommandError(
                f"the {what} {found.id} is {found.state} after {timeout:g} seconds; it goes on"
            )
        pause.wait(_PAUSE)


def for_some(read: typing.Callable[[], list[_T]], timeout: float) -> list[_T]:
    """What is read as soon as it is not empty; empty if it was not in time."""
    pause, end = threading.Event(), time.monotonic() + timeout
    while True:
        found = read()
        if found or time.monotonic() > end:
            return found
        pause.wait(_PAUSE)
