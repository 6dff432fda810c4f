# SPDX-License-Identifier: Apache-2.0
"""Knows what openFPGALoader prints of a part, and by which signs it shows that one is configured.

Written after the sources of openFPGALoader 0.10 to 1.1. It ends with 0 whether or not a part starts
after a load. What it prints of that depends on the maker of the part, and on the release.
"""

import dataclasses
import re

from fpga_nova.confined import processes

_INDEX = re.compile(r"^index (\d+):\n((?:[ \t]+\S.*\n?)*)", re.MULTILINE)
_FIELD = re.compile(r"^\s*(idcode|manufacturer|family|irlength)\s+(\S.*?)\s*$", re.MULTILINE)
#: The upper four bits are the revision of the part, which openFPGALoader may leave out.
_REVISION = 0x0FFFFFFF
#: What it prints where it fails and ends with 0 all the same. 0.12 and later mention an error of
#: the bitfile that was in a part before.
_FAILURE = re.compile(
    r"^.*(?:\bError\b(?! in previous)|\bFail\b|\bFAIL\b|mismatch).*$", re.MULTILINE
)
#: It has sent a whole bitfile. Without this, a sign may be that of the bitfile of before.
_SENT = re.compile(r"\] 100\.00%\s*\n\s*Done\b")
#: What it prints once it has seen that the part started.
_STARTED = {
    "colognechip": re.compile(r"Wait for CFG_DONE DONE\b"),
    # It stands alone in 0.12 and later; 0.10 and 0.11 print the bar to its end only in this case.
    "gowin": re.compile(
        r"^(?:DONE|CRC check: Success|SRAM Flash: Success)$"
        r"|Flash SRAM: \[=* *\] 100\.00%\s*\n\s*Done\b",
        re.MULTILINE,
    ),
    "lattice": re.compile(r"^Disable configuration: DONE$", re.MULTILINE),
    "xilinx": re.compile(r"^ir: \w+ isc_done \w+ isc_ena \w+ init 1 done 1$", re.MULTILINE),
}
#: Types of files that it loads into the memory of a maker's parts. It writes others into flash,
#: whatever it is asked for, or nowhere.
_MEMORY = {
    "altera": {"rbf"},
    "anlogic": {"bit"},
    "colognechip": {"bit", "cfg"},
    "efinix": {"bit", "hex"},
    "gowin": {"fs"},
    "lattice": {"bit", "bin"},
    "xilinx": {"bit", "bin"},
}
_ONLY_FLASH = {"max 10"}
#: Plays to its end if the pin DONE of a part of Xilinx's is high: it is bit 5 of what the part's
#: instruction register shows, bits 0 and 1 always being 1 and 0 (UG470, table 6-3; UG380).
DONE_IS_HIGH = """\
SIR 6 TDI (3F) TDO (01) MASK (03);
SIR 6 TDI (3F) TDO (20) MASK (20);
"""
_PLAYED = "end of SVF file"
_DONE_IS_LOW = re.compile(r"TDO value \w+ isn't the one expected.*at line 2\b", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part in a JTAG chain, as openFPGALoader detects it.

    :param idcode: its JTAG id, in hexadecimal digits
    :param maker: who made it; empty for one that cannot be programmed
    :param family: the maker's name for its kind
    :param width: bits of its instruction register
    """

    idcode: str
    maker: str
    family: str
    width: int

    @property
    def shows_done(self) -> bool:
        """Whether DONE_IS_HIGH can be played to it.

        Instruction registers of other widths, and that of Spartan-3E, have the bit elsewhere.
        """
        return self.maker == "xilinx" and self.width == 6 and self.family != "spartan3e"

    @property
    def prints_success(self) -> bool:
        """Whether a release of openFPGALoader prints that such a part started."""
        return self.maker in _STARTED

    def takes(self, file_type: str) -> bool:
        """Whether a file of a type is loaded into its memory."""
        return file_type in _MEMORY.get(self.maker, ()) and self.family not in _ONLY_FLASH

    def is_a(self, idcode: str) -> bool:
        """Whether it has a JTAG id, its revision aside.

        :param idcode: as configured, in hexadecimal digits after 0x
        """
        return not (int(idcode, 16) ^ int(self.idcode, 16)) & _REVISION


def detected(output: str) -> dict[int, Part]:
    """The parts that a detection shows, by their place in the chain."""
    found = {}
    for index in _INDEX.finditer(output):
        fields = {field[1]: field[2] for field in _FIELD.finditer(index[2])}
        idcode, width = fields.get("idcode", ""), fields.get("irlength", "")
        if re.fullmatch("0x[0-9a-fA-F]{1,8}", idcode):
            found[int(index[1])] = Part(
                idcode[2:].lower(),
                fields.get("manufacturer", "").lower(),
                fields.get("family", "").lower(),
                int(width) if width.isdecimal() else 0,
            )
    return found


def see_sent(finished: processes.Finished) -> None:
    """See that a whole bitfile was sent, and no failure reported.

    :raises processes.Failed: one was, or it is not said that all was sent
    """
    failure = _FAILURE.search(f"{finished.output}\n{finished.errors}")
    if failure:
        raise processes.Failed(f"{finished.name}: {failure[0].strip()[-200:]}")
    if not _SENT.search(finished.output):
        raise processes.Failed(f"{finished.name} does not say that it sent the bitfile")


def started(part: Part, finished: processes.Finished) -> bool:
    """Whether what was printed by a load shows that the part started."""
    sign = _STARTED.get(part.maker)
    return sign is not None and sign.search(finished.output) is not None


def played(finished: processes.Finished) -> bool:
    """Whether an SVF was played to its end, and the part answered as it says."""
    return finished.status == 0 and _PLAYED in finished.output


def done_is_low(finished: processes.Finished) -> bool:
    """Whether DONE_IS_HIGH ended because the pin is low: the part is not configured."""
    return finished.status != 0 and _DONE_IS_LOW.search(finished.errors) is not None
