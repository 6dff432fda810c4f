# SPDX-License-Identifier: Apache-2.0
"""Which class of Placement the regions of a provider have, and how they get another one."""

import pytest
from nova import exception

from fpga_hooks.placement import inventory, providers
from tests.unit.fpga_hooks.conftest import region
from tests.unit.fpga_hooks.placement.conftest import FREE, NODE

PF, VF = "CUSTOM_FPGA_INTEL_PF", "CUSTOM_FPGA_INTEL_VF"


def of_regions(tree, name: str = NODE) -> dict[str, tuple[int, int]]:
    """Total and reserved of each class of regions of a provider."""
    inventory = tree.data(name).inventory
    return {
        one: (unit["total"], unit["reserved"]) for one, unit in inventory.items() if one != "VCPU"
    }


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"intel": PF}, PF),
        ({"A10": VF, "intel": PF}, VF),
        ({"a10": VF}, VF),
        ({"xilinx": PF}, "CUSTOM_FPGA_REGION"),
        ({}, "CUSTOM_FPGA_REGION"),
    ],
)
def test_class_is_that_of_the_board_or_else_of_the_vendor(
    audit, tree, config, chosen, found
) -> None:
    config(region_classes=chosen)
    audit(*[region(**FREE, vendor="Intel", board="a10")] * 2)
    assert of_regions(tree) == {found: (2, 0)}


def test_provider_whose_regions_would_have_two_classes_has_the_common_one(
    audit, tree, config, caplog
) -> None:
    config(region_classes={"intel": PF})
    audit(region(**FREE, vendor="Intel"), region(**FREE, vendor="Acme"))
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (2, 0)}
    assert "so it gets CUSTOM_FPGA_REGION; with [fpga] providers = card" in caplog.text


def test_cards_of_two_vendors_have_classes_of_their_own(audit, tree, config) -> None:
    config(region_classes={"intel": PF}, providers="card")
    audit(region(**FREE, vendor="Intel", device="a"), region(**FREE, vendor="Acme", device="b"))
    cards = {one: of_regions(tree, f"{NODE}_fpga_{one}") for one in "ab"}
    assert cards == {"a": {PF: (1, 0)}, "b": {"CUSTOM_FPGA_REGION": (1, 0)}}
    assert of_regions(tree) == {}


def test_class_stays_while_the_service_runs(audit, tree, config) -> None:
    audit(region(**FREE, vendor="Intel"))
    config(region_classes={"intel": PF})
    audit(region(**FREE, vendor="Intel"), region(**FREE, vendor="Intel"))
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (2, 0)}


def allocated(owner: str, resource_class: str) -> dict:
    provider = {"resources": {"VCPU": 1, resource_class: 1}}
    return {owner: {"allocations": {"the node": provider}, "user_id": "u"}}


def test_start_with_another_class_moves_what_is_allocated(audit, tree, config) -> None:
    held = region(vendor="Intel")
    audit(held, region(**FREE, vendor="Intel"))
    config(region_classes={"intel": PF})
    providers.ours.decide_anew()
    with pytest.raises(exception.ReshapeNeeded):
        audit(held, region(**FREE, vendor="Intel"))
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (2, 0)}
    allocations = allocated(held["owner"], "CUSTOM_FPGA_REGION")
    own = allocations[held["owner"]]["allocations"]
    own[tree.data(NODE).uuid] = own.pop("the node")
    for _ in range(2):  # Nova begins anew where Placement answers a conflict
        inventory.update_provider_tree(tree, NODE, allocations)
        assert own == {tree.data(NODE).uuid: {"resources": {"VCPU": 1, PF: 1}}}
    assert of_regions(tree) == {PF: (2, 0)}
    assert "VCPU" in tree.data(NODE).inventory


def test_conflict_within_the_move_has_it_begin_anew(audit, tree, config) -> None:
    audit(region(**FREE, vendor="Intel"))
    before = dict(tree.data(NODE).inventory)
    config(region_classes={"intel": PF})
    providers.ours.decide_anew()
    for _ in range(2):
        tree.update_inventory(NODE, before)
        with pytest.raises(exception.ReshapeNeeded):
            audit(region(**FREE, vendor="Intel"))
        inventory.update_provider_tree(tree, NODE, {})
    assert of_regions(tree) == {PF: (1, 0)}


def test_class_stays_where_the_regions_are_not_known_at_the_start(audit, tree, config) -> None:
    audit(region(**FREE, vendor="Intel"))
    config(region_classes={"intel": PF})
    providers.ours.decide_anew()
    audit(code=127, err="Error: FPGA device is not accessible")
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (1, 1)}
    audit(region(**FREE, vendor="Intel"))
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (1, 0)}


def test_another_class_that_comes_while_the_service_runs_gives_nothing(audit, tree) -> None:
    audit(region(**FREE))
    unit = tree.data(NODE).inventory["CUSTOM_FPGA_REGION"]
    tree.update_inventory(NODE, {**tree.data(NODE).inventory, PF: unit})
    audit(region(**FREE))
    assert of_regions(tree) == {"CUSTOM_FPGA_REGION": (1, 0), PF: (1, 1)}
