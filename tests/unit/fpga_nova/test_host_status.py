# SPDX-License-Identifier: Apache-2.0
"""The rules by which both sides judge the regions of a host."""

import typing

import pytest

from fpga_nova import host_status

OWNER = "11111111-2222-3333-4444-555555555555"


def _region(**changes: typing.Any) -> host_status.Region:
    answer = {"id": "r", "state": "programmed", "owner": OWNER, "simulated": False, "nodes": None}
    report = {"total": 1, "used": 1, "quarantined": 0, "regions": [answer | changes]}
    return host_status.read(report).regions[0]


@pytest.mark.parametrize(
    ("changes", "lost", "unknown"),
    [
        ({}, False, False),
        ({"healthy": None}, False, True),
        ({"healthy": True}, False, False),
        ({"healthy": False}, True, False),
        ({"healthy": None, "state": "quarantined"}, False, False),
        ({"healthy": None, "state": "free", "owner": None}, False, False),
    ],
)
def test_program_that_says_nothing_of_health_leaves_no_doubt_of_its_own(
    changes, lost, unknown
) -> None:
    region = _region(**changes)
    assert (region.configuration_lost, region.configuration_unknown) == (lost, unknown)


@pytest.mark.parametrize("state", ["programmed", "quarantined"])
def test_settled_region_that_nobody_asks_for_is_surplus(state) -> None:
    region = _region(state=state)
    assert host_status.surplus({1: region}, {}) == (region,)
    assert host_status.surplus({1: region}, {1: "image"}) == ()


@pytest.mark.parametrize("state", ["firmware request", "write", "reset"])
def test_region_that_is_worked_on_is_no_surplus(state) -> None:
    assert host_status.surplus({1: _region(state=state)}, {}) == ()


@pytest.mark.parametrize("name", ["id", "state", "owner", "simulated", "nodes"])
def test_status_without_what_every_program_has_to_report_is_refused(name) -> None:
    answer = {"id": "r", "state": "free", "owner": None, "simulated": False, "nodes": None}
    del answer[name]
    with pytest.raises(KeyError, match=name):
        host_status.read({"total": 1, "used": 0, "quarantined": 0, "regions": [answer]})
