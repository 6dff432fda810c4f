# SPDX-License-Identifier: Apache-2.0
"""Runs fpga-cli as root through rootwrap and reads its answers."""

import dataclasses
import json
import re
import typing

from oslo_config import cfg

from fpga_hooks.program import errors, root
from fpga_nova.contract import Exit

CONF = cfg.CONF

_REGION_ID = re.compile(r"[!-~]{1,255}")

#: Why a region is in quarantine, where no operator put it there.
NOT_ERASED = "erase"


@dataclasses.dataclass(frozen=True)
class Region:
    """One region as ``status --format json`` tells it.

    :ivar stray: its owner has no use for it on this host, and it is not erased yet
    """

    id: str
    state: str
    owner: str | None
    simulated: bool
    nodes: tuple[dict[str, str], ...]
    image_id: str | None = None
    healthy: bool | None = None
    vendor: str | None = None
    board: str | None = None
    function: str | None = None
    quarantine: str | None = None
    number: int | None = None
    device: str | None = None
    handed_out: str | None = None
    stray: bool = False

    @property
    def paths(self) -> frozenset[str]:
        """Where its nodes are on this host."""
        return frozenset(node["path"] for node in self.nodes)

    @property
    def numbered(self) -> bool:
        """Whether it has nodes that a guest gets by their device numbers."""
        return any(node["kind"] in ("char", "block") for node in self.nodes)

    @property
    def programmed(self) -> bool:
        """Whether a function is in it; also where it has lost its configuration since."""
        return self.state == "programmed"

    @property
    def settled(self) -> bool:
        """Whether no fpga-cli is at work on it, and it is not free."""
        return self.state in ("programmed", "quarantined")

    @property
    def burnable(self) -> bool:
        """Whether its owner's image is to be burnt into it again.

        It has lost its configuration for certain, or is in quarantine because it did not erase.
        """
        if self.state == "quarantined":
            return self.owner is not None and self.quarantine == NOT_ERASED
        return self.programmed and self.healthy is False

    @property
    def withheld(self) -> bool:
        """Whether no instance has it or may get it.

        One in quarantine is counted by its owner where a guest may have it. One that was burnt by
        hand, without an owner, is in use by somebody that Nova does not know, and so is a stray.
        """
        if self.stray:
            return True
        return self.owner is None and self.state in ("quarantined", "programmed")


@dataclasses.dataclass(frozen=True)
class Status:
    """All regions of this host."""

    total: int
    used: int
    quarantined: int
    regions: tuple[Region, ...]

    def owned_by(self, owner: str) -> dict[int, Region]:
        """The regions of an owner by number, those in quarantine among them."""
        held = {region.number or 1: region for region in self.regions if region.owner == owner}
        return dict(sorted(held.items()))

    @property
    def for_instances(self) -> int:
        """Regions that instances of this host have or may get."""
        return max(self.total - sum(region.withheld for region in self.regions), 0)


def burn(image_id: str, owner: str, number: int = 1, device: str | None = None) -> str:
    """Burn a bitstream image into a region for an owner; at once if the owner has it already.

    :param image_id: Glance id of the bitstream image
    :param owner: uuid of the instance
    :param number: which of the instance's regions it is; told only where it is not the first
    :param device: the card; None for any
    :returns: the region's id, at most 255 printable characters
    :raises errors.CliError: it did not succeed
    """
    which = [] if number == 1 else ["--number", str(number)]
    where = [] if device is None else ["--device", device]
    region_id = _run("burn", image_id, "--owner", owner, *which, *where).strip()
    if not _REGION_ID.fullmatch(region_id):
        raise errors.CliError(None, f"{CONF.fpga.exec} burn printed no region id")
    return region_id


def erase(owner: str, region_id: str | None = None) -> None:
    """Erase all that an owner holds; done, too, if it holds nothing.

    :param region_id: erase this one only, if the owner holds it
    :raises errors.CliError: it did not succeed
    """
    which = [] if region_id is None else [region_id]
    _run("erase", *which, "--owner", owner)


def release(region_id: str) -> None:
    """Erase a region that is in quarantine, and give it free.

    :raises errors.CliError: it did not succeed
    """
    _run("release", region_id)


def status() -> Status:
    """What every region of this host is doing.

    :raises errors.CliError: it cannot be told
    """
    answer = _run("status", "--format", "json", quick=True)
    try:
        return read_status(json.loads(answer))
    except (ValueError, KeyError, TypeError) as e:
        raise errors.CliError(
            None, f"{CONF.fpga.exec} status printed something else than its JSON: {e!r}"
        ) from e


def read_status(told: dict[str, typing.Any]) -> Status:
    """The status in what a program told as JSON.

    :raises ValueError, KeyError, TypeError: it is something else
    """
    regions = tuple(_read_region(region) for region in told["regions"])
    return Status(int(told["total"]), int(told["used"]), int(told["quarantined"]), regions)


def _read_region(told: dict[str, typing.Any]) -> Region:
    """A region; what another program than ours may leave out is None then."""
    more = (
        *("image_id", "healthy", "vendor", "board", "function"),
        *("quarantine", "number", "device", "handed_out"),
    )
    optional: dict[str, typing.Any] = {name: told.get(name) for name in more}
    return Region(
        told["id"],
        told["state"],
        told["owner"],
        bool(told["simulated"]),
        tuple(told["nodes"] or ()),
        **optional,
    )


def _run(*arguments: str, quick: bool = False) -> str:
    program = CONF.fpga.exec
    try:
        answer = root.run([program, *arguments], CONF.fpga.timeout, quick)
    except root.TimedOutError as e:
        raise errors.CliError(
            Exit.TIMED_OUT,
            f"{program} {arguments[0]} did not end within {CONF.fpga.timeout} s "
            f"([fpga] timeout); see what it hangs on",
        ) from e
    except root.NotRunError as e:
        raise errors.CliError(None, f"{program} cannot be run as root: {e}") from e
    if answer.code:
        raise errors.from_exit(program, answer.code, answer.err)
    return answer.out
