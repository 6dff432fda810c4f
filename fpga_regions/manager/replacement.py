# SPDX-License-Identifier: Apache-2.0
"""Puts another bitstream into a region that its owner holds, in place: the region's id stays.

A guest has the region's nodes meanwhile. Where the new bitstream cannot be programmed, the previous
one is put back; where that fails, too, the region is cleared and marked as lost.
"""

import dataclasses
import logging
import os
import stat
import typing

from fpga_regions import errors
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import matching
from fpga_regions.manager.bitstreams import Bitstream, OnRecord
from fpga_regions.manager.claims import Claims
from fpga_regions.manager.steps import Worker
from fpga_regions.model import TRANSIENT, Node, Region, State
from fpga_regions.package.reader import Package

_LOG = logging.getLogger(__name__)

#: Gives the package that a region is on record with; None where it cannot be had.
Finder = typing.Callable[[Region], Package | None]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it.

    :param region_id: the region's id, which is the one from before
    :param same_nodes: whether the nodes that a guest has are those that serve the region now
    :param failure: why the previous bitstream is in place; None if the new one is
    """

    region_id: str
    same_nodes: bool
    failure: errors.Restored | None = None


class Replacement:
    """Replaces bitstreams.

    :param find: gives the package to put back
    """

    def __init__(self, ledger: Ledger, worker: Worker, claims: Claims, find: Finder) -> None:
        self._ledger = ledger
        self._worker = worker
        self._claims = claims
        self._find = find

    def replace(
        self, region_id: str, owner: str, bitstream: Bitstream, same_nodes: bool
    ) -> Outcome:
        """Program a region of an owner with another bitstream, or with the same once more.

        :param same_nodes: refuse a bitstream that exposes other nodes
        :raises errors.UnknownRegion: the owner has no such region
        :raises errors.NoFreeRegion: it is in quarantine
        :raises errors.NoMatchingHardware: it cannot hold the bitstream
        :raises errors.HandedOut: the bitstream exposes other nodes
        :raises errors.RegionError: the bitstream cannot be had, and nothing was changed; or it
            cannot be programmed, nor the previous one, and the region is lost or in quarantine
        """
        region = self._owned(self._ledger.region(region_id), owner)
        package = bitstream.package
        matching.fitting([region], package)
        with self._claims.locked(region) as now:
            now = self._owned(self._at_rest(self._owned(now, owner)), owner)
            if same_nodes and now.nodes:
                _see_that_nodes_are_the_same(now, package)
            before = _identities(now.nodes)
            if bitstream.is_in(now) and self._worker.healthy(now):
                return Outcome(now.id, same_nodes=True)
            failure = self._program(now, bitstream)
            after = _identities(self._owned(self._ledger.region(now.id), owner).nodes)
        return Outcome(now.id, None not in before and before == after, failure)

    def _program(self, region: Region, bitstream: Bitstream) -> errors.Restored | None:
        """Program a region; the failure after which the previous bitstream is in place again."""
        # Before anything is changed: what comes from Glance may take its time.
        package = self._find(region) if region.state == State.PROGRAMMED else None
        with self._worker.undone(region):
            try:
                self._worker.program(region, bitstream, in_place=True)
            except errors.RegionError as e:
                if package is None:
                    raise
                return self._put_back(region, package, e)
        return None

    def _put_back(
        self, region: Region, package: Package, failure: errors.RegionError
    ) -> errors.Restored:
        now = self._ledger.region(region.id)
        try:
            self._worker.program(now or region, OnRecord(region, package), in_place=True)
        except errors.RegionError as e:
            failure.why += f"; the previous bitstream cannot be put back: {e.why}"
            raise failure from e
        return errors.Restored(
            f"{failure.why} (exit {failure.code.value}); the previous bitstream is back in place"
        )

    def _at_rest(self, region: Region) -> Region:
        if region.state in TRANSIENT:
            note = f"in state '{region.state}' of a process that died"
            region = self._worker.clear(region, note)
        if region.state == State.QUARANTINED:
            raise errors.NoFreeRegion(
                f"region {region.id} of {region.holder} is in quarantine ({region.reason})"
            )
        if region.state == State.PROGRAMMED and self._worker.healthy(region) is None:
            raise errors.NoAnswer(
                f"region {region.id} of {region.holder} does not say what it holds; "
                "nothing was changed: see what its card's tool reports"
            )
        return region

    def _owned(self, region: Region | None, owner: str) -> Region:
        if region is None or region.owner != owner or region.state == State.FREE:
            raise errors.UnknownRegion(f"owner {owner} has no such region")
        return region


def _see_that_nodes_are_the_same(region: Region, package: Package) -> None:
    here = [(node.kind, node.name) for node in region.nodes]
    new = [(one.kind, one.name) for one in package.manifest.exposes]
    if here != new:
        raise errors.HandedOut(
            f"a guest of {region.holder} may have {_words(here)} of region {region.id}, and the "
            f"bitstream exposes {_words(new)}"
        )


def _words(nodes: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({kind})" for kind, name in nodes) or "no node"


def _identities(nodes: typing.Iterable[Node]) -> list[tuple[int, ...] | None]:
    """By what a guest has each node: its device number, or else its place in a file system."""
    return [_identity(node) for node in nodes]


def _identity(node: Node) -> tuple[int, ...] | None:
    try:
        status = os.stat(node.path)  # noqa: PTH116 - beside the calls of os below
    except OSError:
        return None
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return stat.S_IFMT(status.st_mode), os.major(status.st_rdev), os.minor(status.st_rdev)
    return stat.S_IFMT(status.st_mode), status.st_dev, status.st_ino
