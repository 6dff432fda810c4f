# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Nova and fpga-cli, as exceptions.

The exit statuses are fpga-cli's (fpga_nova.contract) and rootwrap's (oslo_rootwrap.cmd).
"""

import enum
import re

from fpga_nova.contract import Exit


class Rootwrap(enum.IntEnum):
    """Exit statuses of nova-rootwrap itself."""

    NO_COMMAND = 96
    BAD_CONFIG = 97
    NOT_GIVEN = 98
    DENIED = 99


#: Nobody but the operator of this very host can mend these, and no restart of the call will.
MISCONFIGURED = frozenset(Rootwrap)

#: Another card of the same host may cure these.
OF_CARD = frozenset({Exit.NO_MATCHING_HARDWARE, Exit.NO_FREE_REGION})

#: Nothing can be burnt on this host while one of these lasts, whatever the image and the region.
OF_HOST = frozenset({Exit.IMAGE_SERVICE_UNAVAILABLE, Exit.LEDGER_UNUSABLE, None, *MISCONFIGURED})

_ADVICE = {
    Rootwrap.NO_COMMAND: "install it in a folder named in exec_dirs of rootwrap.conf",
    Rootwrap.BAD_CONFIG: "check rootwrap.conf and that sudo permits nova-rootwrap",
    Rootwrap.NOT_GIVEN: "check [fpga] exec in nova.conf",
    Rootwrap.DENIED: "install etc/rootwrap.d/fpga.filters in rootwrap's filters_path",
}


class CliError(Exception):
    """fpga-cli, or the way to it, failed.

    :param code: the exit status; None where the program did not get to exit
    :param reason: one line that says what and why
    """

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @property
    def misconfigured(self) -> bool:
        """Whether the host's configuration, not the hardware or the image, is at fault."""
        return self.code is None or self.code in MISCONFIGURED


def from_exit(program: str, code: int, stderr: str) -> CliError:
    """The error for an exit status and what was on standard error."""
    if code in MISCONFIGURED:
        advice = _ADVICE[Rootwrap(code)]
        return CliError(code, f"{program} cannot be run as root: {advice}")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    reasons = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    if reasons:
        return CliError(code, f"{reasons[-1]} ({program} exit {code})")
    if lines and lines[-1].startswith("sudo:"):
        sudo = re.sub(r"^sudo:\s*", "", lines[-1])
        return CliError(None, f"{program} cannot be run as root: sudo says '{sudo}'")
    return CliError(
        code, f"{program} failed with exit {code}: {lines[-1] if lines else 'no words'}"
    )
