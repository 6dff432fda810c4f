# SPDX-License-Identifier: Apache-2.0
"""How many regions are wanted, held and left."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nova import objects

from fpga_hooks import accounting, calls

objects.register_all()

FPGA = {"hw:fpga_ip_id": "dd834aa4-f950-40e6-8c23-9dab7f3f0138"}


@pytest.mark.parametrize(
    ("extra_specs", "wanted"),
    [
        (FPGA, 1),
        ({}, 0),
        (None, 0),
        ({"fpga": "1"}, 0),
        ({"hw:fpga_ip_ids": "1"}, 0),
        ({"my:hw:fpga_ip_id": "1"}, 0),
        ({"trait:CUSTOM_FPGA": "required"}, 0),
    ],
)
def test_exactly_one_key_asks_for_a_region(extra_specs: dict[str, str] | None, wanted: int) -> None:
    assert accounting.regions_wanted(extra_specs) == wanted


def test_a_flavor_whose_extra_specs_were_not_loaded_asks_for_none() -> None:
    assert accounting.extra_specs_of(objects.Flavor()) == {}
    assert accounting.bitstream_of(objects.Flavor(extra_specs=FPGA)) == FPGA["hw:fpga_ip_id"]


def test_a_compute_node_of_an_unpatched_nova_has_no_regions() -> None:
    assert accounting.regions_free(objects.ComputeNode()) == 0


@pytest.mark.parametrize(
    ("total", "used", "free"), [(None, None, 0), (2, None, 2), (2, 1, 1), (1, 2, 0), (None, 1, 0)]
)
def test_counts_that_are_none_read_as_zero(total: int | None, used: int | None, free: int) -> None:
    holder = SimpleNamespace(fpga_regions=total, fpga_regions_used=used)
    assert accounting.regions_free(holder) == free


def _claim(extra_specs: dict[str, str]) -> SimpleNamespace:
    return SimpleNamespace(flavor=objects.Flavor(extra_specs=extra_specs))


def test_an_ordinary_instance_is_never_refused_for_its_host_having_used_regions() -> None:
    for total, used in ((None, None), (0, 0), (0, 3), (1, 1), (1, 2)):
        node = SimpleNamespace(fpga_regions=total, fpga_regions_used=used)
        assert calls.claim_failure(_claim({}), node) is None


def test_a_claim_is_refused_where_no_region_is_left() -> None:
    node = SimpleNamespace(fpga_regions=2, fpga_regions_used=2)
    assert calls.claim_failure(_claim(FPGA), node) == "1 FPGA region wanted, 0 free"
    node.fpga_regions_used = 1
    assert calls.claim_failure(_claim(FPGA), node) is None


def test_a_claim_without_a_flavor_of_its_own_is_for_the_flavor_of_its_instance() -> None:
    claim = SimpleNamespace(instance=_claim(FPGA))
    node = SimpleNamespace(fpga_regions=0, fpga_regions_used=0)
    assert calls.claim_failure(claim, node) is not None


@given(st.lists(st.booleans()))
def test_usage_is_the_number_of_instances_that_came_and_did_not_go(steps: list[bool]) -> None:
    node = SimpleNamespace(fpga_regions=8)
    calls.reset_usage(node)
    held = 0
    for comes in steps:
        if not comes and held == 0:
            continue
        calls.update_usage(node, {"extra_specs": FPGA}, 1 if comes else -1)
        calls.update_usage(node, {"extra_specs": {}}, 1)
        calls.update_usage(node, {}, -1)
        held += 1 if comes else -1
        assert node.fpga_regions_used == held


def test_the_host_state_falls_with_each_request_placed_on_it() -> None:
    state = SimpleNamespace()
    calls.init_host_state(state)
    assert accounting.regions_free(state) == 0
    calls.update_host_state(state, SimpleNamespace(fpga_regions=2, fpga_regions_used=None))
    spec = SimpleNamespace(flavor=objects.Flavor(extra_specs=FPGA))
    calls.consume_host_state(state, spec)
    assert accounting.regions_free(state) == 1
    calls.consume_host_state(state, SimpleNamespace(flavor=objects.Flavor(extra_specs={})))
    assert accounting.regions_free(state) == 1
