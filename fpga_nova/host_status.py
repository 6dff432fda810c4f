# SPDX-License-Identifier: Apache-2.0
"""The status of a host's regions, as ``fpga-cli.py status --format json`` prints it.

Its JSON Schema is status.schema.json. nova-compute and ``fpga-manage check`` judge regions by the
same rules, which are here.
"""

import dataclasses
import typing

#: Why a region is in quarantine.
NOT_ERASED, BY_OPERATOR = "erase", "operator"

#: What another program than ours may leave out; it is None then.
_OPTIONAL = (
    *("image_id", "healthy", "vendor", "board", "function"),
    *("quarantine", "number", "device", "handed_out", "part", "address", "digest"),
)


@dataclasses.dataclass(frozen=True)
class Region:
    """One region.

    :ivar health_reported: whether the program says anything of ``healthy``, be it null
    :ivar stray: its owner has no use for it on this host, and it is not erased yet
    :ivar of_claim: its owner is no instance, and has it allocated in Placement, as far as is known
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
    part: str | None = None
    address: str | None = None
    digest: str | None = None
    health_reported: bool = False
    stray: bool = False
    of_claim: bool = False

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
    def quarantined(self) -> bool:
        """Whether no instance may get it until it is released."""
        return self.state == "quarantined"

    @property
    def claimed(self) -> bool:
        """Whether its owner holds it without a function of ours in it."""
        return self.state == "claimed"

    @property
    def settled(self) -> bool:
        """Whether no fpga-cli is at work on it, and it is not free."""
        return self.programmed or self.quarantined or self.claimed

    @property
    def configuration_lost(self) -> bool:
        """Whether it has lost its configuration for certain."""
        return self.programmed and self.healthy is False

    @property
    def configuration_unknown(self) -> bool:
        """Whether the program looked, and cannot say what it holds."""
        return self.programmed and self.health_reported and self.healthy is None

    @property
    def burnable(self) -> bool:
        """Whether its owner's image is to be burnt into it again.

        It has lost its configuration for certain, or is in quarantine because it did not erase.
        """
        if self.quarantined:
            return self.owner is not None and self.quarantine == NOT_ERASED
        return self.configuration_lost

    @property
    def withheld(self) -> bool:
        """Whether no instance has it or may get it.

        One in quarantine is counted by its owner where a guest may have it. One that was burnt by
        hand, without an owner, is in use by somebody that Nova does not know, and so is a stray.
        """
        return self.stray or (self.owner is None and self.settled)


@dataclasses.dataclass(frozen=True)
class Status:
    """All regions of a host."""

    total: int
    used: int
    quarantined: int
    regions: tuple[Region, ...]

    def owned_by(self, owner: str) -> dict[int, Region]:
        """The regions of an owner by number, those in quarantine among them."""
        regions = {region.number or 1: region for region in self.regions if region.owner == owner}
        return dict(sorted(regions.items()))

    @property
    def for_instances(self) -> int:
        """Regions that instances of this host have or may get; claims have theirs for themselves.

        Placement counts those of claims by the claims' own allocations.
        """
        others = sum(region.withheld or region.of_claim for region in self.regions)
        return max(self.total - others, 0)


def surplus(
    regions: typing.Mapping[int, Region], numbers: typing.Container[int]
) -> tuple[Region, ...]:
    """The regions of an owner that it has no use for; none that is worked on.

    :param regions: all that it holds, by number
    :param numbers: of those that it is to have
    """
    return tuple(
        region for number, region in regions.items() if region.settled and number not in numbers
    )


def read(answer: dict[str, typing.Any]) -> Status:
    """The status in the JSON that a program printed or published.

    :raises ValueError, KeyError, TypeError: it is something else
    """
    regions = tuple(_read_region(region) for region in answer["regions"])
    return Status(int(answer["total"]), int(answer["used"]), int(answer["quarantined"]), regions)


def _read_region(answer: dict[str, typing.Any]) -> Region:
    optional: dict[str, typing.Any] = {name: answer.get(name) for name in _OPTIONAL}
    return Region(
        answer["id"],
        answer["state"],
        answer["owner"],
        bool(answer["simulated"]),
        tuple(answer["nodes"] or ()),
        health_reported="healthy" in answer,
        **optional,
    )
