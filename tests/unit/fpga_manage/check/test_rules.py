# SPDX-License-Identifier: Apache-2.0
"""What ledger, database and Placement may not disagree on."""

import dataclasses

import pytest

from fpga_manage.check import rules
from fpga_nova import host_status

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
FPGA = {"hw:fpga_ip_id": IMAGE}
OURS = FPGA | {"resources:CUSTOM_FPGA_REGION": "1"}


def _node(regions: int = 1, used: int = 1, moving: bool = False) -> rules.Node:
    return rules.Node("node-uuid", "node", regions, used, moving)


def _instance(uuid: str = "i", **changes) -> rules.Instance:
    columns = {
        "host": "node",
        "vm_state": "active",
        "task_state": None,
        "device": "r",
        "extra_specs": FPGA,
    }
    return rules.Instance(uuid, **columns | changes)


def _region(**changes) -> dict:
    programmed = {"id": "r", "state": "programmed", "owner": "i", "healthy": True}
    return programmed | {"simulated": False, "nodes": None} | changes


def _status(*regions: dict) -> host_status.Status:
    total = len(regions)
    return host_status.read({"total": total, "used": 0, "quarantined": 0, "regions": regions})


def _ledger(regions, here=(), *, total: int = 1, used: int = 1, moving: bool = False) -> list[str]:
    findings = rules.of_ledger(_node(total, used, moving), _status(*regions), list(here))
    return [finding.code for finding in findings]


def test_an_instance_with_its_region_is_consistent() -> None:
    here = [_instance()]
    assert _ledger([_region()], here) == []
    assert list(rules.of_database(_node(), here)) == []


@pytest.mark.parametrize(
    ("regions", "here", "code"),
    [
        ([_region()], [], "region-without-instance"),
        ([_region(owner=None, state="free")], [_instance(device=None)], "instance-without-region"),
        ([_region()], [_instance(device="other")], "device-differs"),
        ([_region()], [_instance(device=None)], "device-differs"),
        ([_region(healthy=False)], [_instance()], "configuration-lost"),
        ([_region(healthy=None)], [_instance()], "configuration-unknown"),
        ([_region(), _region(id="s", owner=None, state="free")], [_instance()], "regions-differ"),
    ],
)
def test_each_disagreement_with_the_ledger_has_its_code(regions, here, code) -> None:
    assert _ledger(regions, here) == [code]


def test_a_region_in_quarantine_is_found_and_not_counted() -> None:
    assert _ledger([_region(state="quarantined", owner=None)], total=0) == ["quarantined"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quarantine": "erase", "owner": None}, "it did not erase"),
        ({"quarantine": "operator", "owner": None}, "an operator put it there"),
        ({"quarantine": "erase"}, "it did not erase; instance i may have it"),
    ],
)
def test_reason_of_a_quarantine_and_who_may_have_the_region_are_said(changes, words) -> None:
    quarantined = _region(state="quarantined", **changes)
    (finding,) = rules.of_ledger(_node(regions=0), _status(quarantined), [])
    assert (finding.code, finding.words) == ("quarantined", words)


@pytest.mark.parametrize(
    ("regions", "here", "node"),
    [
        ([_region(state="write")], [], {}),
        ([_region()], [], {"moving": True}),
        ([_region(owner=None)], [], {"total": 0}),
        ([_region(state="reset")], [_instance(task_state="deleting")], {}),
        ([_region(state="free", owner=None)], [_instance(vm_state="error", device=None)], {}),
    ],
)
def test_what_something_is_at_work_on_is_not_judged(regions, here, node) -> None:
    assert _ledger(regions, here, **node) == []


def test_a_region_in_quarantine_that_a_guest_may_have_is_its_instances() -> None:
    withdrawn = _region(state="quarantined", quarantine="erase", healthy=None)
    assert _ledger([withdrawn], [_instance()]) == ["quarantined"]


@pytest.mark.parametrize("total", [1, 2])
def test_a_region_that_waits_to_be_erased_is_counted_or_not(total) -> None:
    surplus = _region(id="s", number=2, state="quarantined", quarantine="erase", healthy=None)
    here = [_instance(device="r,s")]
    assert _ledger([_region(number=1), surplus], here, total=total) == ["quarantined"]
    assert "regions-differ" in _ledger([_region(number=1), surplus], here, total=3)


def test_a_region_that_two_instances_have_is_found() -> None:
    here = [_instance(), _instance("j")]
    findings = rules.of_database(_node(used=2), here)
    assert [(f.code, f.subject) for f in findings] == [("region-twice", "r")]


@pytest.mark.parametrize(
    ("node", "here", "codes"),
    [
        ({"used": 2}, [_instance()], ["used-differs"]),
        ({"used": 2, "moving": True}, [_instance()], []),
        ({"used": 0}, [_instance(task_state="spawning")], []),
        ({"used": 0}, [_instance(extra_specs={}, device=None)], []),
    ],
)
def test_the_count_of_used_regions_is_that_of_the_instances(node, here, codes) -> None:
    assert [f.code for f in rules.of_database(_node(**node), here)] == codes


@pytest.mark.parametrize("state", ["programmed", "claimed"])
def test_region_of_a_claim_is_as_it_should_be(state: str) -> None:
    region = _region(owner="c", state=state)
    assert "region-without-instance" in _ledger([region], total=1)
    status = _status(region)
    (known,) = status.regions
    status = dataclasses.replace(status, regions=(dataclasses.replace(known, of_claim=True),))
    assert list(rules.of_ledger(_node(0, 0), status, [])) == []


@pytest.mark.parametrize(
    ("provider", "node", "codes"),
    [
        (None, {"regions": 0}, []),
        (None, {}, ["inventory-missing"]),
        (rules.Provider(2, 1, {"i": 1}), {}, []),
        (rules.Provider(2, 0, {"i": 1}), {}, ["inventory-differs"]),
        (rules.Provider(1, 0, {"i": 1, "gone": 1}), {}, ["allocation-orphan"]),
        (rules.Provider(1, 0, {"migration": 1, "i": 1}), {}, []),
        (rules.Provider(1, 0, {}), {}, ["allocation-missing"]),
        (rules.Provider(2, 0, {"i": 1, "c": 1}, frozenset("c")), {}, []),
        (rules.Provider(1, 0, {"i": 1, "c": 1}, frozenset("c")), {}, ["inventory-differs"]),
    ],
)
def test_placement_has_what_the_host_has(provider, node, codes) -> None:
    here = [_instance(extra_specs=OURS)]
    findings = rules.of_placement(_node(**node), provider, here, {"i", "migration"})
    assert [f.code for f in findings] == codes


def test_an_instance_whose_flavor_leaves_placement_out_needs_no_allocation() -> None:
    provider = rules.Provider(1, 0, {})
    assert list(rules.of_placement(_node(), provider, [_instance()], {"i"})) == []


@pytest.mark.parametrize(
    ("extra_specs", "request_placement", "amount", "codes"),
    [
        (FPGA, True, 0, ["allocation-missing"]),
        (FPGA, True, 1, []),
        (FPGA | {"hw:fpga_ip_id_2": IMAGE}, True, 1, ["allocation-missing"]),
        (FPGA | {"resources1:CUSTOM_FPGA_REGION": "2"}, False, 1, ["allocation-missing"]),
        (FPGA | {"resources1:CUSTOM_FPGA_REGION": "2"}, True, 2, []),
        ({"hw:fpga_function": "zip"}, False, 0, ["allocation-missing"]),
        ({"hw:fpga_function": "zip"}, False, 1, []),
        ({}, True, 0, []),
    ],
)
def test_as_many_regions_are_allocated_as_the_scheduler_asked_for(
    extra_specs, request_placement, amount, codes
) -> None:
    provider = rules.Provider(3, 2, {"i": amount} if amount else {})
    here = [_instance(extra_specs=extra_specs)]
    findings = rules.of_placement(_node(), provider, here, {"i"}, request_placement)
    assert [f.code for f in findings] == codes


def test_instance_that_is_moving_need_not_have_its_allocation() -> None:
    provider = rules.Provider(1, 0, {})
    here = [_instance(task_state="resize_migrating"), _instance("j", vm_state="resized")]
    assert list(rules.of_placement(_node(), provider, here, {"i", "j"}, True)) == []


def test_region_that_is_worked_on_is_not_yet_its_instances() -> None:
    codes = _ledger([_region(state="write")], [_instance()])
    assert codes == ["instance-without-region", "device-differs"]
