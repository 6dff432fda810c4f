# SPDX-License-Identifier: Apache-2.0
"""Every way in which fpga-cli can fail: one class per failure, its code the exit status.

The codes never change; docs/fpga-cli.md lists them. 31, 33, 64 and 127 are those of the
command's first specification.
"""

from typing import ClassVar


def shorten(text: str) -> str:
    """A text that may be a stranger's, short enough for a line of error."""
    return text if len(text) <= 200 else f"{text[:200]}..."


class RegionError(Exception):
    """A failure that the person at the command line is told of in one line.

    :param why: the reason, and what to do where that can be told
    """

    #: Exit status of the command.
    code: ClassVar[int]
    #: What failed, where that does not depend on the command that was given.
    what: ClassVar[str | None] = None

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        # What was done about it may have been added since.
        return self.why

    def line(self, attempt: str) -> str:
        """The one line for standard error.

        :param attempt: what the command was about to do ("cannot erase ...")
        """
        text = f"Error: {self.what or attempt} - {self.why}"
        return "".join(c if c.isprintable() else " " for c in text)


class NotErased(RegionError):
    """The hardware did not erase; the region is in quarantine."""

    code = 31


class Differs(RegionError):
    """The hardware holds something else than the ledger says."""

    code = 32
    what = "ledger and hardware differ"


class UnknownRegion(RegionError):
    """No such region, or not one of the owner that was named."""

    code = 33


class NoMatchingHardware(RegionError):
    """No region of this host can hold the package."""

    code = 64


class NoFreeRegion(RegionError):
    """Regions that could hold the package exist, and none is free."""

    code = 65


class BadPackage(RegionError):
    """The package is not what the specification says, or is over a limit."""

    code = 66


class ImageUnavailable(RegionError):
    """Glance does not have, or does not give, a bitstream image of this id."""

    code = 67


class ProgrammingFailed(RegionError):
    """The region did not take the bitstream."""

    code = 68


class WrongFunction(RegionError):
    """Read back after programming, the region shows another function."""

    code = 69


class TimedOut(RegionError):
    """Something took longer than the configuration allows."""

    code = 70


class LedgerUnusable(RegionError):
    """The ledger cannot be read or written."""

    code = 71


class HandedOut(RegionError):
    """A guest may have the region's nodes, and nobody who knows has reported otherwise."""

    code = 74


class NoAnswer(RegionError):
    """The hardware, or the way to it, does not say what a region holds.

    It is neither evidence that the region is empty nor that it lost what it held.
    """

    code = 127
    what = "the region does not answer"


class NotAccessible(RegionError):
    """No FPGA can be reached at all."""

    code = 127
    what = "FPGA device is not accessible"
