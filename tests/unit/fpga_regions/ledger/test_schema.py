# SPDX-License-Identifier: Apache-2.0
"""A ledger of an older release is brought up to date in place, wholly or not at all."""

import sqlite3
import stat
from pathlib import Path

import pytest

from fpga_regions.ledger import schema
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.model import Cause, Claim, State
from tests.unit.fpga_regions.conftest import CRC, LZO, owner
from tests.unit.fpga_regions.hardware import slot

IDS = ["00000000-0000-4000-8000-00000000000b", "00000000-0000-4000-8000-00000000000a"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger as the first release wrote it: one region held, one free."""
    folder = tmp_path / "state"
    folder.mkdir()
    db = sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)
    schema._run(db, schema.STEPS[0])
    db.execute("PRAGMA user_version = 1")
    here = "'hardware', 'card0', {}, 'emulator', 'software', NULL, 'socket', 0, 1"
    db.execute(
        f"INSERT INTO regions VALUES (?, {here.format(0)}, 'programmed', 'then', ?, ?, 'f',"
        " 'sha256:00', '[]')",
        (IDS[0], owner(), LZO),
    )
    db.execute(
        f"INSERT INTO regions VALUES (?, {here.format(1)}, 'free', 'then', NULL, NULL, NULL,"
        " NULL, '[]')",
        (IDS[1],),
    )
    for region_id, state in ((IDS[0], "free"), (IDS[1], "free"), (IDS[0], "programmed")):
        db.execute(
            "INSERT INTO events (at, region_id, state, owner, image_id, note)"
            " VALUES ('then', ?, ?, ?, NULL, 'noted')",
            (region_id, state, owner()),
        )
    db.close()
    return folder


@pytest.fixture
def second(old: Path) -> Path:
    """The same as the second release wrote it, and the free region is in quarantine."""
    db = sqlite3.connect(old / "ledger.sqlite3", isolation_level=None)
    schema._run(db, schema.STEPS[1])
    db.execute("UPDATE regions SET lost = 'then' WHERE id = ?", (IDS[0],))
    db.execute("UPDATE regions SET state = 'quarantined' WHERE id = ?", (IDS[1],))
    db.execute("PRAGMA user_version = 2")
    db.close()
    return old


def tables(path: Path) -> list[tuple[str, ...]]:
    """All that the database is made of."""
    with sqlite3.connect(path) as db:
        return db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()


def test_older_ledger_keeps_its_regions_and_their_order(old: Path) -> None:
    regions = Ledger(old, 1).regions()
    assert [(region.id, region.state, region.owner) for region in regions] == [
        (IDS[0], State.PROGRAMMED, owner()),
        (IDS[1], State.FREE, None),
    ]


def test_older_ledger_keeps_its_events(old: Path) -> None:
    events = Ledger(old, 1).events()
    assert [(event.region_id, event.state, event.before) for event in events] == [
        (IDS[0], "free", None),
        (IDS[1], "free", None),
        (IDS[0], "programmed", None),
    ]


def test_owner_of_an_older_ledger_holds_its_region_as_its_first(second: Path) -> None:
    held = Ledger(second, 1).held_for(Claim(owner()))
    assert held is not None
    assert (held.id, held.lost) == (IDS[0], "then")


def test_quarantine_of_an_older_ledger_counts_as_an_operators(second: Path) -> None:
    region = Ledger(second, 1).region(IDS[1])
    assert region is not None
    assert (region.state, region.quarantine) == (State.QUARANTINED, Cause.OPERATOR)
    assert region.reason == "noted"


def test_ledger_that_was_brought_up_to_date_is_as_a_new_one(old: Path, tmp_path: Path) -> None:
    new = Ledger(tmp_path / "new", 1)
    assert tables(Ledger(old, 1).path) == tables(new.path)


def test_ledger_that_was_brought_up_to_date_still_refuses_what_it_must(old: Path) -> None:
    ledger = Ledger(old, 1)
    for change in (
        "DELETE FROM regions",
        f"UPDATE regions SET owner = '{owner()}', number = 1, state = 'write'",
        "UPDATE regions SET owner = 'x', number = 1 WHERE state = 'free'",
        "UPDATE events SET note = ''",
    ):
        with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError):
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(change)


def test_upgrade_that_fails_leaves_the_ledger_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (old / "ledger.sqlite3").read_bytes()
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE regions (id TEXT);"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(Exception, match="already exists"):
        Ledger(old, 1)
    assert (old / "ledger.sqlite3").read_bytes() == before


def test_region_of_an_older_ledger_can_be_used_on(old: Path) -> None:
    ledger = Ledger(old, 1)
    ledger.register([slot(0), slot(1)])
    claimed = ledger.claim(IDS[1], Claim(owner(1)), CRC)
    assert ledger.move(claimed, State.FREE, "given back").id == IDS[1]


def test_region_of_an_older_ledger_can_be_held(old: Path) -> None:
    ledger = Ledger(old, 1)
    ledger.register([slot(0), slot(1, address="0000:3b:00.0")])
    region = ledger.hold(IDS[1], Claim(owner(1)))
    assert (region.state, region.slot.address) == (State.CLAIMED, "0000:3b:00.0")
    assert region.handed_out == region.since


@pytest.mark.parametrize(
    "change",
    [
        "owner = NULL, number = NULL, handed_out = NULL",
        "handed_out = NULL",
        "function = 'f', digest = 'sha256:00'",
        "state = 'free'",
    ],
)
def test_database_refuses_a_held_region_that_is_nobodys_or_ours(old: Path, change: str) -> None:
    ledger = Ledger(old, 1)
    ledger.hold(IDS[1], Claim(owner(1)))
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(f"UPDATE regions SET {change} WHERE id = ?", (IDS[1],))


def test_ledger_stays_for_root_only(old: Path) -> None:
    assert stat.S_IMODE(Ledger(old, 1).path.stat().st_mode) == 0o600


def test_oldest_events_of_a_region_go_when_there_are_too_many(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state", 1, events_kept=3)
    ledger.register([slot(0), slot(1)])
    first, second = ledger.regions()
    for _ in range(4):
        first = ledger.move(ledger.claim(first.id, Claim(owner()), LZO), State.FREE, "given back")
    assert [event.state for event in ledger.events(first.id)] == [
        "free",
        "firmware request",
        "free",
    ]
    assert len(ledger.events(second.id)) == 1


def test_lower_number_of_events_to_keep_is_reached_with_the_next_event(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state", 1)
    ledger.register([slot(0)])
    region = ledger.regions()[0]
    for _ in range(5):
        region = ledger.move(ledger.claim(region.id, Claim(owner()), LZO), State.FREE, "given back")
    Ledger(tmp_path / "state", 1, events_kept=2).claim(region.id, Claim(owner()), LZO)
    assert len(ledger.events()) == 2


@pytest.mark.parametrize("which", ["max", "min"])
def test_database_refuses_to_forget_anything_but_the_oldest_event(
    tmp_path: Path, which: str
) -> None:
    ledger = Ledger(tmp_path / "state", 1)
    ledger.register([slot(0)])
    region = ledger.regions()[0]
    if which == "max":
        ledger.claim(region.id, Claim(owner()), LZO)
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(f"DELETE FROM events WHERE sequence = (SELECT {which}(sequence) FROM events)")


def test_last_events_are_told_oldest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state", 1)
    ledger.register([slot(0), slot(1)])
    ledger.claim(ledger.regions()[0].id, Claim(owner()), LZO)
    assert [event.sequence for event in ledger.events(last=2)] == [2, 3]


@pytest.fixture
def third(second: Path) -> Path:
    """The same as the third release wrote it; the region held is in quarantine, as nobody's."""
    db = sqlite3.connect(second / "ledger.sqlite3", isolation_level=None)
    schema._run(db, schema.STEPS[2])
    db.execute(
        "UPDATE regions SET state = 'quarantined', quarantine = 'erase', owner = NULL,"
        " number = NULL, nodes = '[]', lost = NULL WHERE id = ?",
        (IDS[0],),
    )
    note = "INSERT INTO events (at, region_id, before, state, owner, note)"
    db.execute(f"{note} VALUES ('now', ?, 'reset', 'quarantined', ?, 'why')", (IDS[0], owner()))
    db.execute("PRAGMA user_version = 3")
    db.close()
    return second


def test_held_region_of_an_older_ledger_counts_as_handed_out(old: Path) -> None:
    held, free = Ledger(old, 1).regions()
    assert (held.handed_out, free.handed_out) == ("then", None)


@pytest.mark.parametrize(
    ("state", "handed_out"), [("firmware request", None), ("write", "then"), ("reset", "then")]
)
def test_region_that_an_older_release_worked_on_may_have_been_handed_out(
    second: Path, state: str, handed_out: str | None
) -> None:
    with sqlite3.connect(second / "ledger.sqlite3") as db:
        db.execute("UPDATE regions SET lost = NULL, state = ? WHERE id = ?", (state, IDS[0]))
    region = Ledger(second, 1).region(IDS[0])
    assert region is not None
    assert (region.owner, region.handed_out) == (owner(), handed_out)


def test_quarantine_of_an_older_ledger_gets_back_the_owner_that_its_events_name(
    third: Path,
) -> None:
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.state, region.quarantine) == (State.QUARANTINED, Cause.ERASE)
    assert (region.owner, region.number, region.handed_out) == (owner(), 1, "then")
    other = Ledger(third, 1).region(IDS[1])
    assert other is not None
    assert (other.owner, other.handed_out) == (None, None)


def note(folder: Path, *events: tuple[str, str, str | None]) -> None:
    """Have the third release note what happened to the region in quarantine: before, after, who."""
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        for before, after, whose in events:
            db.execute(
                "INSERT INTO events (at, region_id, before, state, owner, note)"
                " VALUES ('later', ?, ?, ?, ?, 'noted')",
                (IDS[0], before, after, whose),
            )


RETRY: list[tuple[str, str, str | None]] = [
    ("quarantined", "reset", None),
    ("reset", "quarantined", None),
]


def test_quarantine_of_an_older_ledger_gets_its_owner_back_after_erases_that_failed_again(
    third: Path,
) -> None:
    note(third, *RETRY, *RETRY)
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.owner, region.number, region.handed_out) == (owner(), 1, "then")


def test_region_in_whose_release_an_older_release_was_killed_gets_its_owner_back(
    third: Path,
) -> None:
    note(third, RETRY[0])
    with sqlite3.connect(third / "ledger.sqlite3") as db:
        db.execute("UPDATE regions SET state = 'reset', quarantine = NULL WHERE id = ?", (IDS[0],))
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.state, region.owner, region.handed_out) == (State.ERASING, owner(), "then")


def test_quarantine_of_an_older_ledger_gets_no_owner_of_before_the_region_was_free(
    third: Path,
) -> None:
    note(
        third,
        ("reset", "free", owner()),
        ("free", "write", None),
        ("write", "reset", None),
        ("reset", "quarantined", None),
    )
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.owner, region.handed_out) == (None, None)


@pytest.mark.parametrize("state", ["quarantined", "reset"])
def test_quarantine_of_an_older_ledger_whose_events_name_nobody_any_more_is_an_operators(
    third: Path, state: str
) -> None:
    note(third, *RETRY)
    with sqlite3.connect(third / "ledger.sqlite3") as db:
        oldest = "SELECT min(sequence) FROM events WHERE region_id = ?"
        for _ in range(3):
            db.execute(f"DELETE FROM events WHERE sequence = ({oldest})", (IDS[0],))
        if state == "reset":
            change = "UPDATE regions SET state = 'reset', quarantine = NULL WHERE id = ?"
            db.execute(change, (IDS[0],))
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.state, region.quarantine) == (State.QUARANTINED, Cause.OPERATOR)
    assert (region.owner, region.handed_out) == (None, None)


@pytest.mark.parametrize(("has", "gets"), [(1, 2), (2, 1)])
def test_quarantine_of_an_older_ledger_gets_a_number_that_its_owner_has_left(
    third: Path, has: int, gets: int
) -> None:
    with sqlite3.connect(third / "ledger.sqlite3") as db:
        db.execute(
            "UPDATE regions SET state = 'programmed', quarantine = NULL, owner = ?, number = ?,"
            " function = 'f', digest = 'sha256:00' WHERE id = ?",
            (owner(), has, IDS[1]),
        )
    region = Ledger(third, 1).region(IDS[0])
    assert region is not None
    assert (region.owner, region.number, region.handed_out) == (owner(), gets, "then")


def test_all_regions_of_an_owner_in_an_older_quarantine_get_it_back(third: Path) -> None:
    note(third, *RETRY)
    with sqlite3.connect(third / "ledger.sqlite3") as db:
        db.execute(
            "UPDATE regions SET function = 'f', digest = 'sha256:00' WHERE id = ?", (IDS[1],)
        )
        db.execute(
            "INSERT INTO events (at, region_id, before, state, owner, note)"
            " VALUES ('later', ?, 'reset', 'quarantined', ?, 'noted')",
            (IDS[1], owner()),
        )
    held = Ledger(third, 1).held_by(owner())
    assert [(region.id, region.number) for region in held] == [(IDS[1], 1), (IDS[0], 2)]


@pytest.mark.parametrize(
    "change",
    [
        "state = 'free', owner = NULL, number = NULL, image_id = NULL, function = NULL,"
        " digest = NULL, lost = NULL",
        "owner = NULL, number = NULL",
        "handed_out = NULL",
    ],
)
def test_database_refuses_to_forget_who_may_have_a_region(second: Path, change: str) -> None:
    ledger = Ledger(second, 1)
    with sqlite3.connect(ledger.path) as db, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        db.execute(f"UPDATE regions SET {change} WHERE id = ?", (IDS[0],))
