# SPDX-License-Identifier: Apache-2.0
"""Says which region a burn would choose and why not the others, and claims none."""

import dataclasses

from fpga_regions import errors
from fpga_regions.manager import matching
from fpga_regions.manager.bitstreams import Bitstream
from fpga_regions.model import Cause, Claim, Region, State
from fpga_regions.package.reader import Package


@dataclasses.dataclass(frozen=True)
class Choice:
    """One region and what a burn would do with it.

    :param chosen: whether it is the one
    :param why: in words
    """

    region: Region
    chosen: bool
    why: str


def choose(
    regions: list[Region], bitstream: Bitstream, claim: Claim
) -> tuple[list[Choice], errors.RegionError | None]:
    """What becomes of each region, and what the burn would fail with, if it would."""
    package = bitstream.package
    held = next((region for region in regions if claim.holds(region)), None)
    against = {region.id: _against(region, package, claim, held) for region in regions}
    fitting = [region for region in regions if against[region.id] is None]
    if not fitting:
        failure = _failure(regions, package, claim) if held is None else _failure_of(held, against)
        return [_refused(region, against[region.id]) for region in regions], failure
    best = min(fitting, key=lambda one: matching.order(one, package))
    # What its owner burnt already stays as it is.
    same = held is not None and bitstream.is_in(held)
    choices = []
    for region in regions:
        if region == best:
            choices.append(Choice(region, True, _how(region, same)))
        else:
            choices.append(_refused(region, against[region.id]))
    return choices, None


def _refused(region: Region, why: str | None) -> Choice:
    return Choice(region, False, why or "would do as well")


def _against(region: Region, package: Package, claim: Claim, held: Region | None) -> str | None:
    if not claim.permits(region):
        return f"is not on {claim.device}"
    if not matching.fits(region.slot, package):
        return f"is {matching.hardware(region.slot)}"
    if held is not None and region != held:
        return f"is not the owner's: that is {held.id}"
    if region.state == State.QUARANTINED and (held is None or held.quarantine == Cause.OPERATOR):
        return "is in quarantine"
    if region.state != State.FREE and held is None:
        return f"is in state '{region.state}' for {region.holder or 'nobody'} since {region.since}"
    return None


def _how(region: Region, same: bool) -> str:
    if region.state == State.FREE:
        return "is free"
    return "is its owner's already" if same else "would be programmed anew: it is the owner's"


def _failure_of(held: Region, against: dict[str, str | None]) -> errors.RegionError:
    why = f"region {held.id}, which {held.holder} has, {against[held.id]}"
    if held.quarantine == Cause.OPERATOR:
        return errors.NoFreeRegion(why)
    return errors.HandedOut(f"{why}; once no guest has it, erase it first")


def _failure(regions: list[Region], package: Package, claim: Claim) -> errors.RegionError:
    permitted = [region for region in regions if claim.permits(region)]
    fitting = [region for region in permitted if matching.fits(region.slot, package)]
    if fitting:
        return matching.none_free(fitting)
    return matching.nothing_fits((region.slot for region in permitted), package)
