# SPDX-License-Identifier: Apache-2.0
"""How many servers fit on a host is what trying all ways of placing them finds."""

import functools
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fpga_api.availability.counting import Provider, Tree, largest
from fpga_api.availability.demand import Demand, Group, Resources, UncountableError

REGION = "CUSTOM_FPGA_REGION"
_TRAITS = ("CUSTOM_A", "CUSTOM_B")
_MOST = 4


def tree(host: dict[str, int], *cards: Provider, traits: frozenset[str] = frozenset()) -> Tree:
    root = Provider("root", host, {}, traits)
    return Tree("root", {one.uuid: one for one in (root, *cards)})


def region(*required: str, amount: int = 1, forbidden: frozenset[str] = frozenset()) -> Group:
    return Group(((REGION, amount),), frozenset(required), forbidden)


def card(name: str, capacity: int, *traits: str, used: int = 0) -> Provider:
    return Provider(name, {REGION: capacity}, {REGION: used}, frozenset(traits))


BASE = Group((("MEMORY_MB", 1), ("VCPU", 1)))
HOST = {"VCPU": 10, "MEMORY_MB": 10}


@pytest.mark.parametrize(
    ("demand", "cards", "expected"),
    [
        (Demand(BASE, (region(),)), [card("a", 2, used=1), card("b", 2)], 3),
        (Demand(BASE, (region(), region())), [card("a", 2, used=1), card("b", 2)], 1),
        # The only region of A is for the group that wants it.
        (Demand(BASE, (region("A"), region())), [card("a", 1, "A"), card("b", 3)], 1),
        (Demand(BASE, (region(amount=2),)), [card("a", 3), card("b", 1)], 1),
        (Demand(BASE, (region(),) * 2, isolate=True), [card("a", 5), card("b", 1)], 1),
        (Demand(BASE, (region(),) * 2, isolate=True), [card("a", 2), card("b", 2)], 2),
        (Demand(BASE, (region("A"),), isolate=True), [card("a", 2, "B")], 0),
        (Demand(Group((("VCPU", 6), (REGION, 1)))), [card("a", 2)], 1),
        (
            Demand(Group((("VCPU", 1), (REGION, 1)), frozenset({"A"}))),
            [card("a", 2), card("b", 3, "A")],
            3,
        ),
        (Demand(Group((("VCPU", 1), (REGION, 1)), frozenset({"A"}))), [card("a", 2)], 0),
        (Demand(BASE, (region(forbidden=frozenset({"B"})),)), [card("a", 2, "B")], 0),
        (Demand(Group(), (region(),)), [card("a", 2)], 2),
        (Demand(BASE, (region(),)), [], 0),
        (Demand(BASE, (region(),)), [card("a", 99)], 10),
    ],
)
def test_host_has_room_for_so_many(demand: Demand, cards: list[Provider], expected: int) -> None:
    assert largest(tree(HOST, *cards), demand) == expected


def test_total_counts_as_if_nothing_were_used() -> None:
    host = tree(HOST, card("a", 2, used=2))
    assert largest(host, Demand(BASE, (region(),))) == 0
    assert largest(host, Demand(BASE, (region(),)), whole=True) == 2


def test_provider_that_does_not_accept_an_amount_gives_nothing() -> None:
    def accepts(provider: Provider, wanted: Resources) -> bool:
        return provider.uuid != "a"

    host = tree(HOST, card("a", 2), card("b", 1))
    assert largest(host, Demand(BASE, (region(),)), accepts=accepts) == 1
    assert largest(tree(HOST), Demand(BASE), accepts=lambda *_: False) == 0


def test_traits_of_the_host_are_those_of_the_unnumbered_group() -> None:
    wanted = Demand(Group((("VCPU", 1),), frozenset({"A"}), frozenset({"B"})), (region(),))
    cards = (card("a", 2),)
    assert largest(tree(HOST, *cards, traits=frozenset({"A"})), wanted) == 2
    assert largest(tree(HOST, *cards), wanted) == 0
    assert largest(tree(HOST, *cards, traits=frozenset({"A", "B"})), wanted) == 0


@pytest.mark.parametrize(
    "demand",
    [
        Demand(BASE, (region(), region(amount=2))),
        Demand(Group((("VCPU", 1), (REGION, 1))), (region(amount=2),)),
        Demand(BASE, (Group((("VCPU", 1), (REGION, 1))),)),
        Demand(Group(((REGION, 1),)), (region(),), isolate=True),
        Demand(BASE, tuple(region(f"T{number}") for number in range(11))),
    ],
)
def test_packing_problems_are_not_counted(demand: Demand) -> None:
    with pytest.raises(UncountableError):
        demand.check()


def test_trait_that_one_class_or_another_may_have_is_not_counted() -> None:
    wanted = Demand(Group((("CUSTOM_X", 1), (REGION, 1), ("VCPU", 1)), frozenset({"A"})))
    with pytest.raises(UncountableError):
        largest(tree(HOST | {"CUSTOM_X": 1}, card("a", 1, "A")), wanted)


_traits = st.frozensets(st.sampled_from(_TRAITS))
_groups = st.lists(st.builds(region, st.sampled_from(_TRAITS)) | st.just(region()), max_size=3)
_card = st.builds(
    lambda capacity, traits: (capacity, tuple(sorted(traits))), st.integers(0, 3), _traits
)


def _brute(counts: tuple[int, ...], traits: list[frozenset[str]], demand: Demand, n: int) -> bool:
    """Whether n servers can be placed one after the other, in any way."""

    @functools.cache
    def place(rest: tuple[int, ...], servers: int) -> bool:
        if servers == 0:
            return True
        for choice in itertools.product(range(len(rest)), repeat=len(demand.groups)):
            if demand.isolate and len(set(choice)) < len(choice):
                continue
            after = list(rest)
            for group, chosen in zip(demand.groups, choice, strict=True):
                after[chosen] -= 1
                if not group.required <= traits[chosen]:
                    break
            else:
                if min(after, default=0) >= 0 and place(tuple(after), servers - 1):
                    return True
        return False

    return place(counts, n)


@settings(max_examples=150, deadline=None)
@given(cards=st.lists(_card, max_size=3), groups=_groups, isolate=st.booleans())
def test_count_is_what_trying_all_ways_finds(
    cards: list[tuple[int, tuple[str, ...]]], groups: list[Group], isolate: bool
) -> None:
    demand = Demand(BASE, tuple(groups), isolate)
    host = tree(
        {"VCPU": _MOST, "MEMORY_MB": 9},
        *(card(f"c{n}", size, *traits) for n, (size, traits) in enumerate(cards)),
    )
    counts = tuple(size for size, _ in cards)
    traits = [frozenset(names) for _, names in cards]
    expected = max(n for n in range(_MOST + 1) if _brute(counts, traits, demand, n))
    assert largest(host, demand) == expected
