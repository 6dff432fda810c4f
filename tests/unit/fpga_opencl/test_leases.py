# SPDX-License-Identifier: Apache-2.0
"""What a node knows of its sessions, and what opens them."""

import hashlib
import typing
import uuid

import pytest

from fpga_opencl.afar import opening
from fpga_opencl.node.leases import Leases

SESSION = uuid.UUID(int=7)
TOKEN = b"a token"
HASH = hashlib.sha256(TOKEN).hexdigest().encode()


class Clock:
    """A clock that stands still.

    :ivar now: seconds
    """

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def _row(**values: typing.Any) -> dict[str, typing.Any]:
    amounts = {"device": 0, "memory": 512, "seconds": 60, "token_seconds": 5}
    return {"id": str(SESSION), "token_hash": HASH.decode()} | amounts | values


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Leases:
    leases = Leases(clock)
    leases.replace([_row()], clock.now, 15)
    return leases


def test_token_opens_its_session(leases: Leases) -> None:
    lease = leases.opened(SESSION, HASH)
    assert lease is not None
    assert (lease.device, lease.memory) == (0, 512 << 20)
    assert leases.opened(uuid.UUID(int=8), HASH) is None
    for wrong in (b"", TOKEN, HASH + b"x", HASH[:-1], b"\xff" * 64):
        assert leases.opened(SESSION, wrong) is None


def test_token_expires_before_its_session(leases: Leases, clock: Clock) -> None:
    clock.now += 5
    assert leases.opened(SESSION, HASH) is None
    assert leases.find(SESSION)


def test_session_ends_when_its_time_is_over(leases: Leases, clock: Clock) -> None:
    leases.replace([_row(seconds=10)], clock.now, 15)
    clock.now += 10
    assert leases.find(SESSION) is None


def test_service_that_is_silent_leaves_no_session(leases: Leases, clock: Clock) -> None:
    clock.now += 14.9
    assert leases.find(SESSION)
    clock.now += 0.1
    assert leases.find(SESSION) is None


def test_session_that_the_service_does_not_name_is_gone(leases: Leases, clock: Clock) -> None:
    leases.replace([], clock.now, 15)
    assert leases.find(SESSION) is None


@pytest.mark.parametrize(
    "row", [{}, _row(id="7"), _row(memory="much"), _row(seconds=None), _row(token_seconds="x")]
)
def test_answer_that_is_none_changes_nothing(
    leases: Leases, clock: Clock, row: dict[str, typing.Any]
) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        leases.replace([row], clock.now, 15)
    assert leases.opened(SESSION, HASH)


def test_opening_comes_back_as_it_went() -> None:
    one = opening.Opening(SESSION, TOKEN)
    content = one.pack()
    assert len(content) == opening.SIZE == 88
    assert opening.unpack(content) == one
    assert opening.unpack_reply(opening.pack_reply(opening.NO_ROOM)) == opening.NO_ROOM


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"X" + content[1:],
        lambda content: content[:4] + b"\2" + content[5:],
        lambda content: content[:6] + b"\x41\0" + content[8:],
    ],
)
def test_what_is_no_opening_is_none(change: typing.Callable[[bytes], bytes]) -> None:
    assert opening.unpack(change(opening.Opening(SESSION, TOKEN).pack())) is None


def test_token_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        opening.Opening(SESSION, b"x" * 65).pack()
