# SPDX-License-Identifier: Apache-2.0
"""Where allocations go when the providers of regions change."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nova import exception

from fpga_hooks.placement import reshape
from fpga_nova import host_status
from tests.unit.fpga_hooks.conftest import region, status

ROOT, A, B = (str(uuid.uuid4()) for _ in range(3))
REGION, PF = "CUSTOM_FPGA_REGION", "CUSTOM_FPGA_INTEL_PF"


def _owner(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def _status(*holdings: tuple[int, str]) -> host_status.Status:
    """The ledger where these owners, given by number, have a region on these cards each."""
    regions = [
        region(id=str(n), owner=_owner(owner), number=n + 1, device=card)
        for n, (owner, card) in enumerate(holdings)
    ]
    return host_status.read(json.loads(status(*regions)))


def _allocation(provider: str, amount: int, **more: int) -> dict:
    return {"allocations": {provider: {"resources": {REGION: amount, **more}}}, "user_id": "u"}


@pytest.fixture
def unknown(monkeypatch):
    """Consumers that hold no region are no migrations either."""

    def not_found(_context, migration_id):
        raise exception.MigrationNotFound(migration_id=migration_id)

    monkeypatch.setattr(reshape.objects, "Migration", type("M", (), {"get_by_uuid": not_found}))


def _move(allocations: dict, sources: set[str], rooms: dict, report: host_status.Status) -> dict:
    reshape.Mover(report, allocations).move({(one, REGION) for one in sources}, rooms)
    return {
        consumer: {p: a["resources"].get(REGION, 0) for p, a in entry["allocations"].items()}
        for consumer, entry in allocations.items()
    }


def _rooms(a: int, b: int) -> dict[str, reshape.Room]:
    return {A: reshape.Room("a", a, REGION), B: reshape.Room("b", b, REGION)}


def test_region_goes_to_the_card_that_the_ledger_has_it_on() -> None:
    allocations = {_owner(1): _allocation(ROOT, 1), _owner(2): _allocation(ROOT, 1)}
    places = _move(allocations, {ROOT}, _rooms(1, 1), _status((1, "b"), (2, "a")))
    assert places == {_owner(1): {B: 1}, _owner(2): {A: 1}}


def test_regions_of_one_server_go_each_to_its_card() -> None:
    allocations = {_owner(1): _allocation(ROOT, 3)}
    places = _move(allocations, {ROOT}, _rooms(2, 2), _status((1, "b"), (1, "a"), (1, "b")))
    assert places == {_owner(1): {A: 1, B: 2}}


def test_who_holds_a_region_goes_before_who_just_needs_room(unknown) -> None:
    allocations = {_owner(1): _allocation(ROOT, 1), _owner(2): _allocation(ROOT, 1)}
    places = _move(allocations, {ROOT}, _rooms(1, 1), _status((2, "a")))
    assert places == {_owner(1): {B: 1}, _owner(2): {A: 1}}


def test_other_resources_stay_where_they_are() -> None:
    allocations = {_owner(1): _allocation(ROOT, 1, VCPU=2)}
    _move(allocations, {ROOT}, _rooms(1, 0), _status((1, "a")))
    assert allocations[_owner(1)]["allocations"][ROOT] == {"resources": {"VCPU": 2}}


def test_region_gets_another_class_where_it_is() -> None:
    allocations = {_owner(1): _allocation(A, 1, VCPU=2), _owner(2): _allocation(A, 1)}
    mover = reshape.Mover(_status((1, "a"), (2, "a")), allocations)
    assert (mover.allocated((A, REGION)), mover.allocated((A, PF))) == (2, 0)
    mover.move({(A, REGION)}, {A: reshape.Room("a", 2, PF)})
    assert (mover.allocated((A, REGION)), mover.allocated((A, PF))) == (0, 2)
    assert allocations[_owner(1)]["allocations"] == {A: {"resources": {"VCPU": 2, PF: 1}}}


def test_consumer_without_a_region_is_left_alone(unknown) -> None:
    allocations = {_owner(1): {"allocations": {ROOT: {"resources": {"VCPU": 2}}}}}
    _move(allocations, {ROOT}, _rooms(1, 1), _status())
    assert allocations == {_owner(1): {"allocations": {ROOT: {"resources": {"VCPU": 2}}}}}


def test_more_than_there_is_room_for_is_refused(unknown) -> None:
    with pytest.raises(exception.ReshapeFailed, match=f"no FPGA region for {_owner(1)}"):
        _move({_owner(1): _allocation(ROOT, 3)}, {ROOT}, _rooms(1, 1), _status())


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("ab")), max_size=6))
def test_all_that_was_allocated_comes_to_the_cards_and_back(
    holdings: list[tuple[int, str]],
) -> None:
    report = _status(*holdings)
    owners = {_owner(owner) for owner, _ in holdings}
    amounts = {owner: len(report.owned_by(owner)) for owner in owners}
    allocations = {owner: _allocation(ROOT, amount) for owner, amount in amounts.items()}
    cards = [card for _, card in holdings]
    rooms = _rooms(cards.count("a"), cards.count("b"))
    places = _move(allocations, {ROOT}, rooms, report)
    for owner in owners:
        on = [r.device for r in report.owned_by(owner).values()]
        expected = {uuid: on.count(room.card) for uuid, room in rooms.items()}
        assert places[owner] == {uuid: n for uuid, n in expected.items() if n}
    back = _move(allocations, {A, B}, {ROOT: reshape.Room(None, len(holdings), REGION)}, report)
    assert back == {owner: {ROOT: amount} for owner, amount in amounts.items()}
