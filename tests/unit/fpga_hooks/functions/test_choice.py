# SPDX-License-Identifier: Apache-2.0
"""Which bitstream of a function goes first, and which is not taken at all."""

import datetime

import pytest

from fpga_hooks.functions import choice
from tests.unit.fpga_hooks.bitstreams import NOW, bitstream, free


@pytest.fixture(autouse=True)
def policy(config):
    """Public bitstreams are accepted."""
    config(function_bitstreams=["public"])


def _ids(*regions, function: str = "checksum") -> list[str]:
    return [one.id for one in choice.of(function, regions or (free(),))]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.0-rc1", "1.0"),
        ("1.0", "1.0.1"),
        ("", "0.1"),
        ("1.0", "1.0-2"),
        ("9", "9" * 64),
    ],
)
def test_the_newest_version_goes_first(known, older: str, newer: str) -> None:
    later = NOW + datetime.timedelta(days=1)
    known(bitstream("b", version=older, changed=later), bitstream("a", version=newer))
    assert _ids() == ["a", "b"]


def test_of_one_version_the_one_that_changed_last_goes_first(known) -> None:
    later = NOW + datetime.timedelta(seconds=1)
    known(bitstream("b"), bitstream("a", changed=later))
    assert _ids() == ["a", "b"]


def test_pinned_function_is_had_in_that_version_only(known, config) -> None:
    known(bitstream("a", version="2.0"), bitstream("b", version="1.0"))
    config(function_versions={"Checksum": "1.0"})
    assert _ids() == ["b"]
    config(function_versions={"other": "7"})
    assert _ids() == ["a", "b"]


@pytest.mark.parametrize(
    ("region", "found"),
    [
        ({}, True),
        ({"part": "hx1k"}, False),
        ({"part": "hx1k,hx8k"}, True),
        ({"part": None}, True),
        ({"board": "icestick"}, False),
        ({"board": None}, False),
    ],
)
def test_bitstream_is_for_its_board_and_part(known, region, found: bool) -> None:
    known(bitstream("a"))
    assert _ids(free(**region)) == ["a"] * found


def test_bitstream_whose_part_is_not_known_is_for_each_part_of_its_board(known) -> None:
    known(bitstream("a", part=None))
    assert _ids(free(part="hx1k")) == ["a"]


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        ({"function_bitstreams": []}, []),
        ({"function_bitstreams": ["public"]}, ["of-all"]),
        ({"function_bitstreams": ["operator"]}, ["of-all", "private"]),
        ({"function_bitstreams": ["somebody"]}, []),
        ({"function_bitstreams": ["operator"], "function_bitstreams_signed": True}, ["private"]),
        ({"function_bitstreams": ["operator"], "function_digests": ["d1"]}, ["of-all"]),
    ],
)
def test_policy_says_which_are_taken(known, config, options, accepted) -> None:
    known(
        bitstream("of-all", digest="d1"),
        bitstream("private", public=False, signed=True, digest="d2"),
    )
    config(**options)
    assert sorted(_ids()) == accepted


def test_bitstream_without_an_owner_is_of_nobody(known) -> None:
    known(bitstream("a", owner=None, public=False))
    assert _ids() == []


def test_functions_are_those_that_a_region_here_can_have(known) -> None:
    known(bitstream("a"), bitstream("b", function="zip", part="hx1k"))
    assert choice.functions_of([free()]) == {"checksum"}
    assert choice.functions_of([free(), free(part="hx1k")]) == {"checksum", "zip"}
    assert choice.functions_of([]) == set()
    assert choice.functions_of([free(state="quarantined", quarantine="operator")]) == set()


def test_region_that_holds_an_older_version_is_not_warm(known) -> None:
    known(bitstream("a", version="2.0"), bitstream("b", version="1.0"))
    assert choice.in_state([free(image_id="b")], "free") == set()
    assert choice.in_state([free(image_id="b"), free(image_id="a")], "free") == {"checksum"}
    assert choice.in_state([free(image_id="a")], "programmed") == set()
