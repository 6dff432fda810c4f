# SPDX-License-Identifier: Apache-2.0
"""Whether a package was made for a region, and the errors that say why there is none for it."""

import typing

from fpga_regions import errors
from fpga_regions.model import Region, Slot, State, Warm
from fpga_regions.package.reader import Package


def fits(slot: Slot, package: Package) -> bool:
    """Whether a region can hold a package's function and offer its nodes."""
    wanted = package.manifest
    return (
        wanted.board == slot.board
        and wanted.part in slot.parts
        and wanted.interface in (None, slot.interface)
        and {exposed.kind for exposed in wanted.exposes} <= slot.kinds
    )


def same(warm: Warm | None, package: Package) -> bool:
    """Whether what a free region holds is just what programming it with a package would give."""
    exposes = tuple((one.kind, one.name) for one in package.manifest.exposes)
    return warm is not None and (warm.loaded, warm.exposes) == (package.loaded, exposes)


def order(region: Region, package: Package) -> int:
    """Sorts free regions: first what holds the very same, then nothing, last something else."""
    if region.warm is None:
        return 1
    return 0 if same(region.warm, package) else 2


def free(regions: typing.Iterable[Region], package: Package) -> list[Region]:
    """Those that are free, the best for a package first."""
    return sorted(all_free(regions), key=lambda region: order(region, package))


def all_free(regions: typing.Iterable[Region]) -> list[Region]:
    """Those that are free."""
    return [region for region in regions if region.state == State.FREE]


def fitting(regions: typing.Sequence[Region], package: Package) -> list[Region]:
    """Those that can hold a package, used or free.

    :raises errors.NoMatchingHardware: there is none
    """
    found = [region for region in regions if fits(region.slot, package)]
    if not found:
        raise nothing_fits((region.slot for region in regions), package)
    return found


def check_free(regions: typing.Sequence[Region]) -> None:
    """See that one of the regions is free.

    :raises errors.NoFreeRegion: none is
    """
    if all(region.state != State.FREE for region in regions):
        raise none_free(regions)


def nothing_fits(slots: typing.Iterable[Slot], package: Package) -> errors.NoMatchingHardware:
    """The error that says what a package is for and what there is."""
    wanted = package.manifest
    kinds = sorted({exposed.kind for exposed in wanted.exposes})
    here = sorted({hardware(slot) for slot in slots})
    return errors.NoMatchingHardware(
        "no matching hardware found: it is for "
        f"{_describe(wanted.board, wanted.part, wanted.interface, kinds)}; here is "
        f"{' and '.join(here) or 'none'}"
    )


def hardware(slot: Slot) -> str:
    """What a region is, in words."""
    return _describe(slot.board, " or ".join(slot.parts), slot.interface, sorted(slot.kinds))


def check_device(regions: typing.Sequence[Region], device: str | None) -> None:
    """See that a card is here; None for any.

    :raises errors.NoMatchingHardware: it is not
    """
    cards = {region.slot.device for region in regions}
    if not cards or device not in {None, *cards}:
        raise errors.NoMatchingHardware(
            f"no matching hardware found: no device {device}; here is "
            f"{', '.join(sorted(cards)) or 'none'}"
        )


def none_free(regions: typing.Sequence[Region]) -> errors.NoFreeRegion:
    """The error that says how many regions could hold a package.

    :param regions: those that could
    """
    out = sum(region.state == State.QUARANTINED for region in regions)
    note = f", {out} of them in quarantine" if out else ""
    return errors.NoFreeRegion(f"no free region: all {len(regions)} that match are taken{note}")


def _describe(board: str, part: str, interface: str | None, kinds: list[str]) -> str:
    shell = f", interface {interface}" if interface else ""
    return f"board {board}, part {part}{shell} with {'/'.join(kinds)} nodes"
