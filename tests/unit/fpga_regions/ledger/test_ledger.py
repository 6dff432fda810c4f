# SPDX-License-Identifier: Apache-2.0
"""The ledger: what is written survives, and what must not be is refused."""

import sqlite3
import stat
from pathlib import Path

import pytest

from fpga_regions import errors
from fpga_regions.ledger.ledger import Ledger, NotFree, OwnerHasRegion
from fpga_regions.model import Claim, State
from tests.unit.fpga_regions.conftest import LZO, owner
from tests.unit.fpga_regions.hardware import slot


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "state", 0.2)
    ledger.register([slot(0), slot(1)])
    return ledger


def test_ids_stay_when_the_ledger_is_opened_again(ledger: Ledger, tmp_path: Path) -> None:
    assert Ledger(tmp_path / "state", 1).regions() == ledger.regions()


def test_registering_what_is_known_writes_nothing(ledger: Ledger) -> None:
    before = ledger.events()
    ledger.register([slot(1), slot(0)])
    assert ledger.events() == before


def test_region_that_is_gone_is_not_counted_and_keeps_its_id(ledger: Ledger) -> None:
    before = ledger.regions()
    ledger.register([slot(0)])
    assert ledger.regions() == before[:1]
    ledger.register([slot(0), slot(1)])
    assert [region.id for region in ledger.regions()] == [region.id for region in before]


def test_region_that_is_gone_is_counted_while_it_is_in_use(ledger: Ledger) -> None:
    region = ledger.claim(ledger.regions()[1].id, Claim(owner()), LZO)
    ledger.register([slot(0)])
    assert region in ledger.regions()


def test_claimed_region_cannot_be_claimed_again(ledger: Ledger) -> None:
    region = ledger.regions()[0]
    ledger.claim(region.id, Claim(owner(0)), LZO)
    with pytest.raises(NotFree):
        ledger.claim(region.id, Claim(owner(1)), LZO)


def test_owner_cannot_claim_two_regions_of_one_number(ledger: Ledger) -> None:
    first, second = ledger.regions()
    ledger.claim(first.id, Claim(owner()), LZO)
    with pytest.raises(OwnerHasRegion):
        ledger.claim(second.id, Claim(owner()), LZO)
    assert ledger.region(second.id) == second


def test_database_itself_refuses_an_owner_of_two_of_one_number(ledger: Ledger) -> None:
    for region in ledger.regions():
        ledger.claim(region.id, Claim(), LZO)
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE regions SET owner = 'x', number = 1")


def test_owner_claims_regions_of_several_numbers(ledger: Ledger) -> None:
    first, second = ledger.regions()
    ledger.claim(first.id, Claim(owner(), number=2), LZO)
    ledger.claim(second.id, Claim(owner(), number=1), LZO)
    assert [region.id for region in ledger.held_by(owner())] == [second.id, first.id]


def test_freed_region_has_no_number_any_more(ledger: Ledger) -> None:
    claimed = ledger.claim(ledger.regions()[0].id, Claim(owner(), number=3), LZO)
    assert (claimed.number, ledger.move(claimed, State.FREE, "given back").number) == (3, None)


@pytest.mark.parametrize(
    "change",
    [
        "number = 1",
        "owner = 'x', state = 'write'",
        "owner = 'x', state = 'write', number = 7",
        "quarantine = 'erase'",
        "state = 'quarantined'",
        "state = 'quarantined', quarantine = 'because'",
        "state = 'write', warm = '{}'",
    ],
)
def test_database_itself_refuses_what_no_region_can_be(ledger: Ledger, change: str) -> None:
    region_id = ledger.regions()[0].id
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(f"UPDATE regions SET {change} WHERE id = ?", (region_id,))


def test_quarantine_needs_a_cause(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="has a cause"):
        ledger.move(ledger.regions()[0], State.QUARANTINED, "")


def test_state_that_does_not_follow_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no region goes from free to programmed"):
        ledger.move(ledger.regions()[0], State.PROGRAMMED, "")


def test_change_behind_the_back_of_the_lock_holder_is_seen(ledger: Ledger) -> None:
    seen = ledger.claim(ledger.regions()[0].id, Claim(owner()), LZO)
    ledger.move(seen, State.FREE, "")
    with pytest.raises(errors.LedgerUnusable, match="does not keep its locks"):
        ledger.move(seen, State.FREE, "")


def test_freed_region_forgets_its_owner_and_image_and_the_events_do_not(ledger: Ledger) -> None:
    region = ledger.claim(ledger.regions()[0].id, Claim(owner()), LZO)
    free = ledger.move(region, State.FREE, "given back")
    assert (free.owner, free.image_id, free.nodes) == (None, None, ())
    assert ledger.had(owner(), region.id)
    last = ledger.events()[-1]
    assert (last.before, last.state, last.note) == ("firmware request", "free", "given back")
    assert (last.owner, last.image_id) == (owner(), LZO)


@pytest.mark.parametrize("change", ["UPDATE events SET note = ''", "DELETE FROM events"])
def test_events_can_be_neither_changed_nor_removed(ledger: Ledger, change: str) -> None:
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError, match="never"):
        db.execute(change)


def test_only_root_can_look_into_folder_and_file(ledger: Ledger) -> None:
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (ledger.folder, ledger.path)]
    assert modes == [0o700, 0o600]


def test_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    Ledger(tmp_path / "state", 1)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_link_in_place_of_the_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.sqlite3").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.LedgerUnusable, match="cannot be opened"):
        Ledger(tmp_path / "state", 1)
    assert not (tmp_path / "elsewhere").exists()


def test_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(errors.LedgerUnusable, match=r"is not a folder|Not a directory"):
        Ledger(tmp_path / "state", 1)


def test_file_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.sqlite3").write_bytes(b"something else" * 100)
    with pytest.raises(errors.LedgerUnusable, match="is not a ledger"):
        Ledger(tmp_path / "state", 1)


def test_ledger_of_a_newer_release_is_left_alone(ledger: Ledger) -> None:
    with sqlite3.connect(ledger.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(errors.LedgerUnusable, match="has version 99"):
        Ledger(ledger.folder, 1)


def test_ledger_that_somebody_writes_for_too_long_is_told(ledger: Ledger) -> None:
    db = sqlite3.connect(ledger.path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.LedgerUnusable, match="is being written by another process"):
        ledger.claim(ledger.regions()[0].id, Claim(owner()), LZO)
    db.close()
