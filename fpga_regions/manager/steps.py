# SPDX-License-Identifier: Apache-2.0
"""The steps on one region, each written to the ledger before and after; its lock must be held."""

import contextlib
import dataclasses
import json
import logging
import pathlib
import time
import typing

from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers.api import Driver
from fpga_regions.ledger.events import now
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import matching
from fpga_regions.manager.bitstreams import Bitstream
from fpga_regions.model import Cause, Loaded, Node, Region, State, Warm
from fpga_regions.package.reader import Package
from fpga_regions.system import sockets

_LOG = logging.getLogger(__name__)

#: What puts a package into a region: a driver's `program` or `replace`.
Step = typing.Callable[[Region, Package, Deadline], None]


class Worker:
    """Programs and clears regions through their drivers."""

    def __init__(self, conf: cfg.ConfigOpts, ledger: Ledger, drivers: dict[str, Driver]) -> None:
        self._conf = conf
        self._ledger = ledger
        self._drivers = drivers

    def drives(self, region: Region) -> bool:
        """Whether a region's driver is configured."""
        return region.slot.driver in self._drivers

    def healthy(self, region: Region) -> bool | None:
        """Whether a region answers as the ledger says.

        :returns: None if it is not programmed, or does not say what it holds
        """
        if region.state != State.PROGRAMMED:
            return None
        if region.lost is not None:
            return False
        try:
            return self.read_back(region) == region.loaded
        except errors.NoAnswer as e:
            _LOG.warning("region %s: %s", region.id, e.why)
            return None

    def read_back(self, region: Region) -> Loaded | None:
        """What a region itself says it holds; None if it shows that it is empty.

        :raises errors.NoAnswer: that cannot be known now
        """
        try:
            return self._driver(region).read_back(region)
        except errors.NotAccessible as e:
            raise errors.NoAnswer(e.why) from e

    def program(self, region: Region, bitstream: Bitstream, in_place: bool = False) -> str:
        """Program a region that is claimed or, for the same owner, programmed.

        A failure that may have been spurious is followed by another try, as often as
        program_retries says. One that was kept warm with the very same is not programmed, if it
        still holds that.

        :param in_place: have its nodes stay, where the driver can
        :returns: the region's id
        :raises errors.ProgrammingFailed, errors.TimedOut: it did not take the bitfile
        :raises errors.WrongFunction: it holds something else now
        :raises errors.NoFreeRegion: another region has one of its nodes
        """
        driver, package = self._driver(region), bitstream.package
        # Not all drivers know them yet. What is known keeps the other's function from being lost.
        with contextlib.suppress(errors.ProgrammingFailed):
            self._see_that_no_other_has(region, driver.nodes(region, package))
        warm = self._keeps(region, package)
        region = self._ledger.move(
            region,
            State.PROGRAMMING,
            "handing out what it holds" if warm else "programming",
            image_id=bitstream.image_id,
            function=package.manifest.function,
            digest=package.digest,
        )
        note = "handed out warm: not programmed"
        if not (warm and self._is_warm(driver, region, driver.resets_again)):
            put = driver.replace if in_place else driver.program
            region, note = self._program(driver, put, region, package), "programmed"
        nodes = driver.nodes(region, package)
        self._see_that_no_other_has(region, nodes)
        text = json.dumps([dataclasses.asdict(node) for node in nodes])
        self._ledger.move(region, State.PROGRAMMED, note, nodes=text)
        return region.id

    def _see_that_no_other_has(self, region: Region, nodes: tuple[Node, ...]) -> None:
        """See that no two regions in use have a node in common: a card may have been renamed.

        :raises errors.NoFreeRegion: another one has it
        """
        paths = {node.path for node in nodes}
        for other in self._ledger.on_record():
            shared = paths & {node.path for node in other.nodes}
            if other.id != region.id and shared:
                raise errors.NoFreeRegion(
                    f"{min(shared)} of region {region.id} ({region.slot.device}) is a node of "
                    f"region {other.id} ({other.slot.device}), which {other.holder or 'nobody'} "
                    "has: give a renamed card its former name, and each region nodes of its own"
                )

    def _keeps(self, region: Region, package: Package) -> bool:
        """Whether a region is kept warm with just what a package would make of it."""
        driver = self._drivers.get(region.slot.driver)
        return bool(
            self._conf.warm
            and matching.same(region.warm, package)
            and driver is not None
            and driver.can_reset(region)
        )

    def put_away(self, region: Region, note: str) -> None:
        """Erase a region that no guest has, or reset it and keep it warm, and free it.

        :param note: why, for the ledger
        :raises errors.NotErased: it is in quarantine
        """
        driver = self._drivers.get(region.slot.driver)
        if not (driver and self._conf.warm and driver.can_reset(region) and self.healthy(region)):
            self.clear(region, note, returned=True)
            return
        region = self._ledger.move(region, State.ERASING, note, returned=True)
        if not self._is_warm(driver, region, reset=True):
            self.clear(region, note)
            return
        loaded = typing.cast(Loaded, region.loaded)
        exposes = tuple((node.kind, node.name) for node in region.nodes)
        warm = Warm(loaded, region.image_id, exposes)
        self._ledger.move(region, State.FREE, f"{note}; kept warm", warm=warm)

    def is_empty(self, region: Region) -> bool:
        """Whether a free region is on record as empty, and shows that it is."""
        return region.warm is None and self._holds(region, None)

    def as_it_is(self, region: Region) -> Region:
        """A region without what it was kept warm with, if it does not hold that any more."""
        if region.warm is None or self._holds(region, region.warm.loaded):
            return region
        return dataclasses.replace(region, warm=None)

    def _holds(self, region: Region, loaded: Loaded | None) -> bool:
        """Whether a region says that it holds this."""
        try:
            return self.read_back(region) == loaded
        except errors.NoAnswer:
            return False

    def _is_warm(self, driver: Driver, region: Region, reset: bool) -> bool:
        """Whether a region holds what the ledger says, once it is reset if it is to be."""
        try:
            if reset:
                driver.reset(region, Deadline(self._conf.clear_timeout))
        except (errors.NotErased, errors.TimedOut) as e:
            _LOG.warning("region %s is not reset, and so not kept warm: %s", region.id, e.why)
            return False
        return self._holds(region, region.loaded)

    def _program(self, driver: Driver, put: Step, region: Region, package: Package) -> Region:
        retries = self._conf.program_retries
        # A load that failed at random is soon tried again; a card that needs time gets it.
        pause = self._conf.program_retry_pause / 8
        while (failure := self._try_to_program(driver, put, region, package)) is not None:
            if retries == 0:
                raise failure
            retries -= 1
            note = f"programming again: {failure.why}"
            region = self._ledger.move(region, State.PROGRAMMING, note)
            time.sleep(pause)
            pause = min(2 * pause, self._conf.program_retry_pause)
        return region

    def clear(
        self, region: Region, note: str, after: State = State.FREE, returned: bool = False
    ) -> Region:
        """Erase a region, and free it or put it into quarantine.

        One that was handed out, and may be in a guest still, is not freed: it stays its owner's,
        marked as lost or as claimed, and can be programmed for that owner again.

        :param note: why, for the ledger
        :param after: what it is when it is erased: free, or quarantined by an operator
        :param returned: somebody who knows reports that no guest has its nodes any more
        :returns: the region as it is then
        :raises errors.NotErased: it is in quarantine
        """
        if region.state != State.ERASING or returned:
            region = self._ledger.move(region, State.ERASING, note, returned=returned)
        cause = Cause.OPERATOR if after == State.QUARANTINED else None
        try:
            driver = self._driver(region)
            driver.clear(region, Deadline(self._conf.clear_timeout))
            self._check_silence(driver, region)
        except (errors.NotErased, errors.TimedOut, errors.NotAccessible) as e:
            note = f"not erased: {e.why}"
            self._ledger.move(region, State.QUARANTINED, note, cause or Cause.ERASE)
            raise errors.NotErased(f"{e.why}; the region is in quarantine") from e
        if after == State.FREE and region.handed_out:
            note = f"{note}; {region.holder} has it still"
            if region.loaded is None:
                return self._ledger.move(region, State.CLAIMED, note)
            return self._ledger.move(region, State.PROGRAMMED, note, lost=now())
        return self._ledger.move(region, after, note, cause)

    def _try_to_program(
        self, driver: Driver, put: Step, region: Region, package: Package
    ) -> errors.RegionError | None:
        """One try; the failure, if another one may go better."""
        try:
            put(region, package, Deadline(self._conf.program_timeout))
        except errors.ProgrammingFailed as e:
            return e
        try:
            loaded = driver.read_back(region)
        except errors.NoAnswer as e:
            return errors.WrongFunction(f"after programming, the region does not answer: {e.why}")
        if loaded == region.loaded:
            return None
        wrong = errors.WrongFunction(
            f"read back, the region shows {loaded.function if loaded else 'nothing'}, not "
            f"{package.manifest.function} as the manifest says"
        )
        if loaded is not None and loaded.digest == package.digest:
            # This very bitfile is in: its manifest is wrong about it, and stays so.
            raise wrong
        return wrong

    def _check_silence(self, driver: Driver, region: Region) -> None:
        """See that an erased region gives no answer to anyone, on whatever way it had.

        :raises errors.NotErased: it does, or that cannot be known
        """
        try:
            loaded = driver.read_back(region)
        except errors.NoAnswer as e:
            raise errors.NotErased(f"it does not show that it is empty: {e.why}") from e
        if loaded is not None:
            raise errors.NotErased("it still answers after it was erased")
        for node in region.nodes:
            if node.kind == "socket" and sockets.served(pathlib.Path(node.path)):
                raise errors.NotErased(f"{node.path} still answers after it was erased")

    @contextlib.contextmanager
    def undone(self, region: Region) -> typing.Iterator[None]:
        """Clear a region if the block ends with an exception; its owner keeps one that it had."""
        try:
            yield
        except BaseException as e:
            outcome = self._undo(region.id)
            if isinstance(e, errors.RegionError):
                e.why += outcome
            raise

    def _undo(self, region_id: str) -> str:
        region = self._ledger.region(region_id)
        if region is None or region.state == State.FREE or not self.drives(region):
            return ""
        if region.state == State.REQUESTED:
            self._ledger.move(region, State.FREE, "given back: nothing was programmed")
            return ""
        try:
            self.clear(region, "cleared: it was not programmed to the end")
        except errors.NotErased as e:
            return f"; clearing it failed, too: {e.why}"
        return "; the region was cleared"

    def _driver(self, region: Region) -> Driver:
        driver = self._drivers.get(region.slot.driver)
        if driver is None:
            raise errors.NotAccessible(
                f"region {region.id} needs the driver {region.slot.driver}, which is not "
                "configured: add it to drivers in fpga-cli.conf"
            )
        return driver
