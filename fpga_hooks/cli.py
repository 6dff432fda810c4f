# SPDX-License-Identifier: Apache-2.0
"""Runs fpga-cli as root through rootwrap and reads its answers."""

import dataclasses
import json
import re
import typing

from oslo_config import cfg

from fpga_hooks import errors, root

CONF = cfg.CONF

_REGION_ID = re.compile(r"[!-~]{1,255}")


@dataclasses.dataclass(frozen=True)
class Region:
    """One region as ``status --format json`` tells it."""

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

    @property
    def programmed(self) -> bool:
        """Whether a function is in it; also where it has lost its configuration since."""
        return self.state == "programmed"


@dataclasses.dataclass(frozen=True)
class Status:
    """All regions of this host."""

    total: int
    used: int
    quarantined: int
    regions: tuple[Region, ...]

    def owned_by(self, owner: str) -> Region | None:
        """The region of an owner, or None; one in quarantine is nobody's."""
        held = (r for r in self.regions if r.owner == owner and r.state != "quarantined")
        return next(held, None)

    @property
    def unowned(self) -> int:
        """Regions that were burnt by hand, without an owner."""
        return sum(region.programmed and region.owner is None for region in self.regions)

    @property
    def for_instances(self) -> int:
        """Regions that instances of this host have or may get.

        A quarantined region is nobody's to have; one that was burnt by hand, without an owner, is
        in use by somebody that Nova does not know.
        """
        return max(self.total - self.quarantined - self.unowned, 0)


def burn(image_id: str, owner: str) -> str:
    """Burn a bitstream image into a region for an owner; at once if the owner has it already.

    :param image_id: Glance id of the bitstream image
    :param owner: uuid of the instance
    :returns: the region's id, at most 255 printable characters
    :raises errors.CliError: it did not succeed
    """
    region_id = _run("burn", image_id, "--owner", owner).strip()
    if not _REGION_ID.fullmatch(region_id):
        raise errors.CliError(None, f"{CONF.fpga.exec} burn printed no region id")
    return region_id


def erase(owner: str) -> None:
    """Erase whatever region an owner holds; done, too, if it holds none.

    :raises errors.CliError: it did not succeed
    """
    _run("erase", "--owner", owner)


def status() -> Status:
    """What every region of this host is doing.

    :raises errors.CliError: it cannot be told
    """
    answer = _run("status", "--format", "json", quick=True)
    try:
        return _read_status(json.loads(answer))
    except (ValueError, KeyError, TypeError) as e:
        raise errors.CliError(
            None, f"{CONF.fpga.exec} status printed something else than its JSON: {e!r}"
        ) from e


def _read_status(told: dict[str, typing.Any]) -> Status:
    regions = tuple(_read_region(region) for region in told["regions"])
    return Status(int(told["total"]), int(told["used"]), int(told["quarantined"]), regions)


def _read_region(told: dict[str, typing.Any]) -> Region:
    """A region; what another program than ours may leave out is None then."""
    more = ("image_id", "healthy", "vendor", "board", "function")
    return Region(
        told["id"],
        told["state"],
        told["owner"],
        bool(told["simulated"]),
        tuple(told["nodes"] or ()),
        **{name: told.get(name) for name in more},
    )


def _run(*arguments: str, quick: bool = False) -> str:
    program = CONF.fpga.exec
    try:
        answer = root.run([program, *arguments], CONF.fpga.timeout, quick)
    except root.TimedOutError as e:
        raise errors.CliError(
            errors.Code.TIMED_OUT,
            f"{program} {arguments[0]} did not end within {CONF.fpga.timeout} s "
            f"([fpga] timeout); see what it hangs on",
        ) from e
    except root.NotRunError as e:
        raise errors.CliError(None, f"{program} cannot be run as root: {e}") from e
    if answer.code:
        raise errors.from_exit(program, answer.code, answer.err)
    return answer.out
