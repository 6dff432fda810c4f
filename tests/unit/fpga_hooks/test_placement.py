# SPDX-License-Identifier: Apache-2.0
"""What Placement is told of the regions of a host."""

import uuid

import pytest
from nova.compute import provider_tree
from oslo_config import cfg

from fpga_hooks import calls, host, placement

from .conftest import IMAGE, REGION, Program, region, status

NODE = "node"
FREE = {"state": "free", "owner": None, "function": None}


@pytest.fixture
def tree(program: Program, monkeypatch):
    """A provider with an inventory and traits of others."""
    monkeypatch.setattr(host, "_last", {})
    monkeypatch.setattr(cfg.CONF, "host", NODE, raising=False)
    calls._hooks.cache_clear()
    tree = provider_tree.ProviderTree()
    tree.new_root(NODE, str(uuid.uuid4()))
    tree.update_inventory(NODE, {"VCPU": {"total": 4}})
    tree.update_traits(NODE, ["HW_CPU_X86_AVX2", "CUSTOM_GOLD", "CUSTOM_FPGA_RACK_7"])
    return tree


@pytest.fixture
def audit(program: Program, tree):
    """Have an audit see these regions, and Placement told of it."""

    def audit(*regions, quarantined: int = 0, **answer):
        program.answers(out=status(*regions, quarantined=quarantined), **answer)
        calls.update_resources({})
        placement.update_provider_tree(tree, NODE)
        told = tree.data(NODE)
        return told.inventory.get("CUSTOM_FPGA_REGION"), set(told.traits)

    return audit


def test_every_region_is_a_unit_of_its_own(audit) -> None:
    inventory, _ = audit(region(), region(**FREE))
    assert inventory == {
        "total": 2,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def test_regions_in_quarantine_and_those_burnt_by_hand_are_reserved(audit) -> None:
    inventory, _ = audit(
        region(), region(owner=None), region(owner=None, state="quarantined"), quarantined=1
    )
    assert (inventory["total"], inventory["reserved"]) == (3, 2)


def test_traits_tell_vendor_board_and_what_is_loaded(audit) -> None:
    _, traits = audit(
        region(vendor="Acme Inc.", board="icebreaker-v1", function="lzo1x_compress"),
        region(board="emulator", **FREE),
    )
    assert traits == {
        "CUSTOM_FPGA",
        "CUSTOM_FPGA_VENDOR_ACME_INC_",
        "CUSTOM_FPGA_BOARD_ICEBREAKER_V1",
        "CUSTOM_FPGA_BOARD_EMULATOR",
        "CUSTOM_FPGA_FUNCTION_LZO1X_COMPRESS",
        "HW_CPU_X86_AVX2",
        "CUSTOM_GOLD",
        "CUSTOM_FPGA_RACK_7",
    }


def test_traits_of_ours_go_with_what_they_told_and_those_of_others_stay(audit, tree) -> None:
    audit(region(board="old", function="old"))
    tree.add_traits(NODE, "CUSTOM_FPGA_VENDOR_SET_BY_HAND")
    _, traits = audit(region(board="new", **FREE))
    assert traits == {
        "CUSTOM_FPGA",
        "CUSTOM_FPGA_BOARD_NEW",
        "CUSTOM_FPGA_VENDOR_SET_BY_HAND",
        "HW_CPU_X86_AVX2",
        "CUSTOM_GOLD",
        "CUSTOM_FPGA_RACK_7",
    }


def test_the_inventory_of_others_stays(audit, tree) -> None:
    audit(region())
    assert tree.data(NODE).inventory["VCPU"] == {"total": 4}


def test_a_host_that_cannot_tell_its_regions_gives_no_more_but_keeps_what_is_allocated(
    audit,
) -> None:
    audit(region(board="x"), region(**FREE))
    inventory, traits = audit(code=127, err="Error: FPGA device is not accessible")
    assert (inventory["total"], inventory["reserved"]) == (2, 2)
    assert "CUSTOM_FPGA_BOARD_X" in traits


def test_a_host_whose_cards_are_gone_gives_no_more(audit) -> None:
    audit(region(board="x"))
    inventory, traits = audit()
    assert (inventory["total"], inventory["reserved"]) == (1, 1)
    assert "CUSTOM_FPGA" not in traits


def test_a_host_whose_access_was_turned_off_gives_no_more_and_has_no_traits_of_ours(
    audit, config
) -> None:
    audit(region(board="x", id=REGION, image_id=IMAGE))
    config(access=False)
    inventory, traits = audit(region())
    assert inventory["reserved"] == inventory["total"]
    assert traits == {"HW_CPU_X86_AVX2", "CUSTOM_GOLD", "CUSTOM_FPGA_RACK_7"}


def test_a_host_that_never_had_regions_has_no_inventory_of_them(audit, config) -> None:
    config(access=False)
    inventory, traits = audit()
    assert inventory is None
    assert "CUSTOM_FPGA" not in traits
