# SPDX-License-Identifier: Apache-2.0
"""Whatever owners and hardware do, in whatever order, the ledger agrees with both."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fpga_regions import errors
from fpga_regions.ledger import status
from fpga_regions.manager.reconcile import Reconciler
from fpga_regions.model import Cause, Claim, Region, State
from tests.unit.fpga_regions.conftest import CRC, LZO, Rig, owner
from tests.unit.fpga_regions.hardware import slot

OWNERS = st.integers(0, 4).map(owner)
IMAGES = st.sampled_from([LZO, CRC, "11111111-1111-1111-1111-111111111111"])
FAILURES = st.sets(
    st.sampled_from(["program", "clear", "lie", "silent", "time out", "reset"]), max_size=2
)


class Regions(RuleBasedStateMachine):
    """Three regions, five owners, and what a model of them expects."""

    warm = False

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        slots = [slot(0), slot(1), slot(0, "card1")]
        self.rig = Rig(self.folder, slots, f"warm = {self.warm}\n")
        self.rig.hardware.resets = self.warm
        self.rig.manager.refresh()
        self.ids = {region.id for region in self.rig.ledger.regions()}
        self.held: dict[tuple[str | None, int | None], str] = {}
        self.guests: dict[str, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.rig.ledger.close()
            shutil.rmtree(self.folder)

    @rule(failing=FAILURES)
    def hardware_turns(self, failing: set[str]) -> None:
        self.rig.hardware.failing = failing

    @rule()
    def hardware_is_well(self) -> None:
        self.rig.hardware.failing = set()

    @rule(who=OWNERS, image=IMAGES, number=st.integers(1, 3))
    def burn(self, who: str, image: str, number: int) -> None:
        before = self.rig.ledger.held_for(Claim(who, number=number))
        try:
            region_id = self.rig.burn(image, who, number=number)
        except errors.RegionError:
            now = self.rig.ledger.held_for(Claim(who, number=number))
            assert (now and now.id) == (before and before.id)
            if now is not None:
                self.held[who, number] = now.image_id or ""
            return
        self.held[who, number] = image
        self.guests[region_id] = who
        now = self.rig.region(region_id)
        assert (now.owner, now.image_id, now.state) == (who, image, State.PROGRAMMED)
        assert now.number == number
        self.rig.hardware.use(region_id)
        assert self.rig.hardware.read_back(now) == now.loaded

    def given_back(self, *regions: Region) -> None:
        """Their owners' guests are gone."""
        for region in regions:
            self.held.pop((region.owner, region.number), None)
            self.guests.pop(region.id, None)

    @rule(who=OWNERS)
    def erase(self, who: str) -> None:
        self.given_back(*self.rig.ledger.held_by(who))
        with contextlib.suppress(errors.NotErased):
            self.rig.manager.erase(None, who)
        assert self.rig.ledger.held_by(who) == []

    @rule(which=st.integers(0, 2), who=OWNERS)
    def erase_region(self, which: int, who: str) -> None:
        region = self.rig.ledger.regions()[which]
        with contextlib.suppress(errors.NotErased, errors.UnknownRegion):
            self.rig.manager.erase(region.id, who)
        if who == region.owner:
            self.given_back(region)

    @rule(which=st.integers(0, 2))
    def erase_region_of_whoever_has_it(self, which: int) -> None:
        region = self.rig.ledger.regions()[which]
        try:
            self.rig.manager.erase(region.id)
        except errors.HandedOut:
            assert self.rig.region(region.id) == region
        except errors.NotErased:
            assert region.handed_out is None

    @rule(which=st.integers(0, 2))
    def quarantine(self, which: int) -> None:
        region = self.rig.ledger.regions()[which]
        with contextlib.suppress(errors.NotErased):
            self.rig.manager.quarantine(region.id, "at random")
        now = self.rig.region(region.id)
        assert (now.state, now.quarantine) == (State.QUARANTINED, Cause.OPERATOR)

    @rule(which=st.integers(0, 2))
    def release(self, which: int) -> None:
        region = self.rig.ledger.regions()[which]
        with contextlib.suppress(errors.NotErased, errors.UnknownRegion):
            self.rig.manager.release(region.id)
        assert self.rig.region(region.id).owner == region.owner

    @rule()
    def hardware_loses_power(self) -> None:
        free = {r.id for r in self.rig.ledger.regions() if r.state == State.FREE}
        for region_id in free & self.rig.hardware.loaded.keys():
            del self.rig.hardware.loaded[region_id]

    @rule(fix=st.booleans())
    def reconcile(self, fix: bool) -> None:
        assert Reconciler(self.rig.ledger, self.rig.manager, fix).run() == []

    @invariant()
    def no_region_is_lost(self) -> None:
        if hasattr(self, "rig"):
            assert {region.id for region in self.rig.ledger.regions()} == self.ids

    @invariant()
    def owners_hold_what_they_burnt_and_no_more(self) -> None:
        if hasattr(self, "rig"):
            regions = [region for region in self.rig.ledger.regions() if region.owner]
            assert len({(region.owner, region.number) for region in regions}) == len(regions)
            assert {(one.owner, one.number): one.image_id for one in regions} == self.held

    @invariant()
    def what_is_in_quarantine_tells_why(self) -> None:
        if hasattr(self, "rig"):
            for region in self.rig.ledger.regions():
                out = region.state == State.QUARANTINED
                assert (region.quarantine is not None) == out

    @invariant()
    def used_is_the_number_of_those_that_owners_hold_outside_quarantine(self) -> None:
        if hasattr(self, "rig"):
            regions = self.rig.ledger.regions()
            used = [one for one in regions if one.owner and one.state != State.QUARANTINED]
            line = status.text([(region, None) for region in regions])
            assert line == f"Used regions: {len(used)}/3"

    @invariant()
    def what_a_guest_may_have_is_its_owners(self) -> None:
        if hasattr(self, "rig"):
            for region in self.rig.ledger.regions():
                assert bool(region.handed_out) == (region.id in self.guests)
                assert region.id not in self.guests or region.owner == self.guests[region.id]

    @invariant()
    def what_is_free_holds_nothing_of_an_owner_and_is_known(self) -> None:
        if hasattr(self, "rig"):
            for region in self.rig.ledger.regions():
                if region.state == State.FREE:
                    now = self.rig.manager.worker.as_it_is(region)
                    loaded = now.warm.loaded if now.warm else None
                    assert self.rig.hardware.read_back(region) == loaded
                    assert region.id not in self.rig.hardware.traces


class WarmRegions(Regions):
    """The same where what is erased is kept warm."""

    warm = True


_SETTINGS = settings(max_examples=40, stateful_step_count=15)
TestRegions = Regions.TestCase
TestRegions.settings = _SETTINGS
TestWarmRegions = WarmRegions.TestCase
TestWarmRegions.settings = _SETTINGS
