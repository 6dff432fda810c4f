# SPDX-License-Identifier: Apache-2.0
"""One process at a time holds a lease, whatever the others do and whenever."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fpga_api import errors
from fpga_api.db import connection, leases, schema
from tests.support import api as support

DURATION = 20.0


class Clock:
    """A clock that the test sets; hosts have clocks of their own, but seconds are as long."""

    def __init__(self, offset: float = 0) -> None:
        self.now = offset

    def __call__(self) -> float:
        return self.now


class Leases(RuleBasedStateMachine):
    """Three processes on hosts whose clocks differ."""

    def __init__(self) -> None:
        super().__init__()
        # In memory: SQLAlchemy has one connection for it, which all three share.
        self.database = support.database("sqlite://")
        self.clocks = [Clock(offset) for offset in (0, 1e6, -50)]
        self.leases: list[leases.Lease] = []

    @initialize()
    def start(self) -> None:
        schema.sync(self.database)
        self.leases = [self.new(number) for number in range(3)]
        self.births = 3

    def new(self, number: int, name: str = "") -> leases.Lease:
        owner = name or f"process-{number}"
        return leases.Lease(self.database, "engine", owner, DURATION, self.clocks[number])

    @rule(seconds=st.floats(0, 3 * DURATION))
    def wait(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.now += seconds

    @rule(number=st.integers(0, 2))
    def hold(self, number: int) -> None:
        lease = self.leases[number]
        assert lease.hold() == lease.held

    @rule(number=st.integers(0, 2))
    def release(self, number: int) -> None:
        self.leases[number].release()
        assert not self.leases[number].held

    @rule(number=st.integers(0, 2))
    def die(self, number: int) -> None:
        self.births += 1
        self.leases[number] = self.new(number, f"process-{number}-{self.births}")

    @invariant()
    def at_most_one_holds_it(self) -> None:
        assert sum(lease.held for lease in self.leases) <= 1


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _lease(database: connection.Database, owner: str, clock: Clock) -> leases.Lease:
    return leases.Lease(database, "engine", owner, DURATION, clock)


def test_dead_holder_is_followed_after_one_turn(
    database: connection.Database, clock: Clock
) -> None:
    first, second = _lease(database, "first", clock), _lease(database, "second", clock)
    assert first.hold()
    assert not second.hold()
    clock.now += DURATION + 1
    assert second.hold()
    assert not first.hold()


def test_living_holder_is_not_followed(database: connection.Database, clock: Clock) -> None:
    first, second = _lease(database, "first", clock), _lease(database, "second", clock)
    for _ in range(10):
        assert first.hold()
        assert not second.hold()
        clock.now += DURATION / 3


def test_lease_that_is_given_back_is_taken_at_once(
    database: connection.Database, clock: Clock
) -> None:
    first, second = _lease(database, "first", clock), _lease(database, "second", clock)
    first.hold()
    first.release()
    assert second.hold()


def test_holder_without_a_database_holds_it_to_the_end_of_its_turn(
    database: connection.Database, clock: Clock
) -> None:
    lease = _lease(database, "first", clock)
    lease.hold()
    schema.downgrade(database)
    with pytest.raises(errors.DatabaseUnavailable):
        lease.hold()
    assert lease.held
    clock.now += DURATION
    assert not lease.held
