# SPDX-License-Identifier: Apache-2.0
"""The nouns that ledger, drivers, packages and commands share."""

import dataclasses
import enum

from fpga_nova.contract import REGION_NUMBERS


class State(enum.StrEnum):
    """What a region is doing.

    Words of the Linux FPGA manager where one fits (Documentation/ABI/testing/
    sysfs-class-fpga-manager): `firmware request`, `write`, `reset`.
    """

    FREE = "free"
    #: Until release 0.3, the bitstream was fetched in this state, too.
    REQUESTED = "firmware request"
    PROGRAMMING = "write"
    PROGRAMMED = "programmed"
    #: Held for an owner, and not programmed by us; what is in it is the owner's affair.
    CLAIMED = "claimed"
    ERASING = "reset"
    QUARANTINED = "quarantined"


#: A region in one of these has a process working on it, which holds the region's lock.
TRANSIENT = frozenset({State.REQUESTED, State.PROGRAMMING, State.ERASING})


class Cause(enum.StrEnum):
    """Why a region is in quarantine."""

    #: An operator put it there; or a release of before version 3 of the ledger did.
    OPERATOR = "operator"
    #: It did not erase.
    ERASE = "erase"


@dataclasses.dataclass(frozen=True)
class Slot:
    """A place that a driver found and can program.

    :param driver: name of the driver
    :param device: the card, as the driver names it; stays the same over reboots
    :param index: which region of the card, from 0
    :param board: name of the board, as a package's manifest gives it
    :param part: name of the part, as a package's manifest gives it; several with commas between
        them if the region can be any of these
    :param interface: uuid of the shell that the region is part of; None where there is none
    :param kinds: kinds of nodes that a function here can expose
    :param simulated: whether no hardware stands behind it
    :param vendor: who made the card; None where that is not known
    :param address: the card's place on PCI, SSSS:BB:DD.F; None where it has none, or none is known
    """

    driver: str
    device: str
    index: int
    board: str
    part: str
    interface: str | None
    kinds: frozenset[str]
    simulated: bool
    vendor: str | None = None
    address: str | None = None

    @property
    def parts(self) -> list[str]:
        """The parts that the region can be."""
        return self.part.split(",")


@dataclasses.dataclass(frozen=True)
class Node:
    """What a container gets of a region.

    :param kind: `char`, `block`, `socket` or `pipe`
    :param path: where it is on the host
    :param name: where the container sees it
    """

    kind: str
    path: str
    name: str


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What a region says of itself.

    :param function: name of the function
    :param digest: digest of the bitfile, `sha256:` and hexadecimal digits
    """

    function: str
    digest: str


@dataclasses.dataclass(frozen=True)
class Warm:
    """What a free region still holds, as it was before anybody used it.

    :param image_id: the image that it was burnt from; None for a file
    :param exposes: kind and name of each node, in the package's order
    """

    loaded: Loaded
    image_id: str | None
    exposes: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Region:
    """One region as the ledger knows it; what it does not hold is None or empty.

    :param id: uuid, given once and kept for as long as the ledger
    :param since: when it came into its state, ISO 8601 in UTC
    :param lost: when it was found that it does not hold any more what it was programmed with, ISO
        8601 in UTC
    :param number: which of its owner's regions it is, one of REGION_NUMBERS; None without an owner
    :param quarantine: why it is in quarantine; None if it is not
    :param reason: what happened to it last, for people
    :param handed_out: since when a guest of its owner may have its nodes, ISO 8601 in UTC; None
        before that, and once somebody who knows has reported that none has
    :param warm: what it holds for whoever burns that next; None if it is in use, or holds nothing
    """

    id: str
    slot: Slot
    state: State
    since: str
    owner: str | None = None
    image_id: str | None = None
    function: str | None = None
    digest: str | None = None
    nodes: tuple[Node, ...] = ()
    lost: str | None = None
    number: int | None = None
    quarantine: Cause | None = None
    reason: str | None = None
    warm: Warm | None = None
    handed_out: str | None = None

    @property
    def holder(self) -> str | None:
        """Its owner, for people, with the number where it is not the owner's first."""
        return self.owner if self.number in (None, 1) else f"{self.owner} (number {self.number})"

    @property
    def used(self) -> bool:
        """Whether it is neither free nor quarantined."""
        return self.state not in (State.FREE, State.QUARANTINED)

    @property
    def loaded(self) -> Loaded | None:
        """What it was programmed with; None before that."""
        return Loaded(self.function, self.digest) if self.function and self.digest else None


@dataclasses.dataclass(frozen=True)
class Claim:
    """Whom a burn is for, and on which card.

    :param owner: uuid of the instance that is to hold the region; None for nobody
    :param device: the card that it must be; None for any
    :param number: which of the owner's regions it is, one of REGION_NUMBERS; of no meaning without
        an owner
    """

    owner: str | None = None
    device: str | None = None
    number: int = REGION_NUMBERS[0]

    def permits(self, region: Region) -> bool:
        """Whether the region is on a card that was asked for."""
        return self.device in (None, region.slot.device)

    def holds(self, region: Region) -> bool:
        """Whether the region is the one that the owner holds by this number."""
        return self.owner is not None and (region.owner, region.number) == (self.owner, self.number)


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happened to a region.

    :param sequence: its number; a later event has a higher one
    :param at: when, ISO 8601 in UTC
    :param before: the state until then; None where there was none, or none is on record
    :param state: the state from then on
    :param owner: who held the region, or had held it until then; so image_id and digest
    :param note: what happened, for people
    """

    sequence: int
    at: str
    region_id: str
    before: str | None
    state: str
    owner: str | None
    image_id: str | None
    digest: str | None
    note: str
