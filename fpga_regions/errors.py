# SPDX-License-Identifier: Apache-2.0
"""Every way in which fpga-cli can fail: one class per failure, its code the exit status.

docs/fpga-cli.md lists them.
"""

from typing import ClassVar

from fpga_nova.contract import Exit


def shorten(text: str) -> str:
    """A text that may be a stranger's, short enough for a line of error."""
    return text if len(text) <= 200 else f"{text[:200]}..."


class RegionError(Exception):
    """A failure, for the person at the command line in one line.

    :param why: the reason, and what to do where that is known
    """

    #: Exit status of the command.
    code: ClassVar[Exit]
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

    code = Exit.NOT_ERASED


class Differs(RegionError):
    """The hardware holds something else than the ledger says."""

    code = Exit.DIFFERS
    what = "ledger and hardware differ"


class UnknownRegion(RegionError):
    """No such region, or not one of the owner that was named."""

    code = Exit.UNKNOWN_REGION


class NoMatchingHardware(RegionError):
    """No region of this host can hold the package."""

    code = Exit.NO_MATCHING_HARDWARE


class NoFreeRegion(RegionError):
    """Regions that could hold the package exist, and none is free."""

    code = Exit.NO_FREE_REGION


class BadPackage(RegionError):
    """The package is not what the specification says, or is over a limit."""

    code = Exit.BAD_PACKAGE


class ImageUnavailable(RegionError):
    """Glance says that there is no bitstream image of this id for us; so it does to any host."""

    code = Exit.NO_IMAGE


class ImageServiceUnavailable(RegionError):
    """This host cannot fetch the image, or learn whether there is one; another host may."""

    code = Exit.IMAGE_SERVICE_UNAVAILABLE


class ProgrammingFailed(RegionError):
    """The region did not take the bitstream."""

    code = Exit.PROGRAMMING_FAILED


class WrongFunction(RegionError):
    """Read back after programming, the region shows another function."""

    code = Exit.WRONG_FUNCTION


class TimedOut(RegionError):
    """Something took longer than the configuration allows."""

    code = Exit.TIMED_OUT


class LedgerUnusable(RegionError):
    """The ledger cannot be read or written."""

    code = Exit.LEDGER_UNUSABLE


class Restored(RegionError):
    """Another bitstream could not be programmed in place; the previous one is in the region."""

    code = Exit.RESTORED


class HandedOut(RegionError):
    """A guest may have the region's nodes, and nobody who knows has reported otherwise."""

    code = Exit.HANDED_OUT


class NoAnswer(RegionError):
    """The hardware, or the way to it, does not say what a region holds.

    It is neither evidence that the region is empty nor that it lost what it held.
    """

    code = Exit.NOT_ACCESSIBLE
    what = "the region does not answer"


class NotAccessible(RegionError):
    """No FPGA can be reached at all."""

    code = Exit.NOT_ACCESSIBLE
    what = "FPGA device is not accessible"
