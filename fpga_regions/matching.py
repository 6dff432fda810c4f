# SPDX-License-Identifier: Apache-2.0
"""Whether a package was made for a region."""

import typing

from fpga_regions import errors
from fpga_regions.model import Slot
from fpga_regions.packages import Package


def fits(slot: Slot, package: Package) -> bool:
    """Whether a region can hold a package's function and offer its nodes."""
    wanted = package.manifest
    return (
        (wanted.board, wanted.part) == (slot.board, slot.part)
        and wanted.interface in (None, slot.interface)
        and {exposed.kind for exposed in wanted.exposes} <= slot.kinds
    )


def nothing_fits(slots: typing.Iterable[Slot], package: Package) -> errors.NoMatchingHardware:
    """The error that tells what a package is for and what there is."""
    wanted = package.manifest
    kinds = sorted({exposed.kind for exposed in wanted.exposes})
    here = sorted({_describe(s.board, s.part, s.interface, sorted(s.kinds)) for s in slots})
    return errors.NoMatchingHardware(
        "no matching hardware found: it is for "
        f"{_describe(wanted.board, wanted.part, wanted.interface, kinds)}; here is "
        f"{' and '.join(here) or 'none'}"
    )


def _describe(board: str, part: str, interface: str | None, kinds: list[str]) -> str:
    shell = f", interface {interface}" if interface else ""
    return f"board {board}, part {part}{shell} with {'/'.join(kinds)} nodes"
