# SPDX-License-Identifier: Apache-2.0
"""What Placement is told of the regions of a host."""

import uuid

import pytest
from nova import exception

from fpga_hooks import calls
from fpga_hooks.placement import inventory, providers
from tests.unit.fpga_hooks.bitstreams import bitstream
from tests.unit.fpga_hooks.conftest import IMAGE, REGION, region, status
from tests.unit.fpga_hooks.placement.conftest import FREE, NODE


def test_every_region_is_a_unit_of_its_own(audit) -> None:
    unit, _ = audit(region(), region(**FREE))
    assert unit == {
        "total": 2,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": 2,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def test_regions_in_quarantine_and_those_burnt_by_hand_are_reserved(audit) -> None:
    unit, _ = audit(
        region(), region(owner=None), region(owner=None, state="quarantined"), quarantined=1
    )
    assert (unit["total"], unit["reserved"]) == (3, 2)


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
    unit, traits = audit(code=127, err="Error: FPGA device is not accessible")
    assert (unit["total"], unit["reserved"]) == (2, 2)
    assert "CUSTOM_FPGA_BOARD_X" in traits


def test_a_host_whose_cards_are_gone_gives_no_more(audit) -> None:
    audit(region(board="x"))
    unit, traits = audit()
    assert (unit["total"], unit["reserved"]) == (1, 1)
    assert "CUSTOM_FPGA" not in traits


def test_a_host_whose_access_was_turned_off_gives_no_more_and_has_no_traits_of_ours(
    audit, config
) -> None:
    audit(region(board="x", id=REGION, image_id=IMAGE))
    config(access=False)
    unit, traits = audit(region())
    assert unit["reserved"] == unit["total"]
    assert traits == {"HW_CPU_X86_AVX2", "CUSTOM_GOLD", "CUSTOM_FPGA_RACK_7"}


def test_a_host_that_never_had_regions_has_no_inventory_of_them(audit, config) -> None:
    config(access=False)
    unit, traits = audit()
    assert unit is None
    assert "CUSTOM_FPGA" not in traits


def functions(traits: set[str]) -> set[str]:
    prefix = "CUSTOM_FPGA_FUNCTION_"
    return {trait.removeprefix(prefix) for trait in traits if trait.startswith(prefix)}


def test_traits_of_functions_are_bounded_and_those_in_use_come_first(audit, config) -> None:
    config(function_traits=3)
    warm = {"state": "free", "owner": None, "image_id": IMAGE}
    regions = [
        region(id="a", function="a-warm", **warm),
        region(id="b", function="z-used"),
        region(id="c", function="y-used"),
        region(id="d", function="y-used"),
        region(id="e", function="b-warm", **warm),
    ]
    for order in (regions, regions[::-1]):
        assert functions(audit(*order)[1]) == {"Y_USED", "Z_USED", "A_WARM"}


def test_no_traits_of_functions_where_none_are_wanted(audit, config) -> None:
    config(function_traits=0)
    assert functions(audit(region(function="x"))[1]) == set()


def accelerators(traits: set[str]) -> set[str]:
    prefix = "CUSTOM_ACCELERATOR_"
    return {trait.removeprefix(prefix) for trait in traits if trait.startswith(prefix)}


def test_traits_tell_what_the_host_can_do(audit, config, known) -> None:
    config(function_bitstreams=["public"])
    known(
        bitstream("a"),
        bitstream("b", function="zip", part="hx1k"),
        bitstream("c", function="private", public=False),
    )
    here = {"board": "emulator", "part": "hx8k"}
    assert accelerators(audit(region(**FREE, **here))[1]) == {"CHECKSUM"}
    known()
    assert accelerators(audit(region(**FREE, **here))[1]) == set()


def test_traits_of_what_a_host_can_do_are_bounded_and_those_in_use_come_first(
    audit, config, known
) -> None:
    config(function_bitstreams=["public"], accelerator_traits=3)
    known(*(bitstream(f"image-{name}", function=name) for name in "abyz"))
    here = {"board": "emulator", "part": "hx8k"}
    regions = [
        region(image_id="image-z", **here),
        region(**FREE, image_id="image-y", **here),
        region(image_id="of-no-function", **here),
    ]
    for order in (regions, regions[::-1]):
        assert accelerators(audit(*order)[1]) == {"Z", "Y", "A"}


def test_card_has_the_traits_of_what_it_can_do_itself(program, tree, config, known) -> None:
    config(function_bitstreams=["public"], providers="card")
    known(bitstream("a"), bitstream("b", function="zip", part="hx1k"))
    one = region(**FREE, board="emulator", part="hx8k", device="one")
    two = region(**FREE, board="emulator", part="hx1k", device="two")
    program.answers(out=status(one, two))
    calls.update_resources({})
    inventory.update_provider_tree(tree, NODE)
    found = {name: accelerators(set(tree.data(name).traits)) for name in (NODE, f"{NODE}_fpga_one")}
    assert found == {NODE: set(), f"{NODE}_fpga_one": {"CHECKSUM"}}


@pytest.mark.parametrize("name", ["CUSTOM_FPGA_FUNCTION_OLD", "CUSTOM_ACCELERATOR_OLD"])
def test_trait_that_nobody_has_is_deleted_at_the_second_look(audit, client, name) -> None:
    client.unused = [name]
    audit(region(function="new"))
    audit(region(function="new"))
    assert client.deleted == []
    audit(region(function="new"))
    assert client.deleted == [name]


def test_trait_that_is_unused_at_one_look_only_stays(audit, client) -> None:
    audit(region())
    client.unused = ["CUSTOM_FPGA_FUNCTION_BEING_MADE"]
    audit(region())
    client.unused = []
    audit(region())
    assert (client.deleted, client.looks) == ([], 2)


def test_trait_that_another_host_has_begun_to_use_stays(audit, client) -> None:
    client.unused = ["CUSTOM_FPGA_FUNCTION_X"]
    client.in_use = {"CUSTOM_FPGA_FUNCTION_X"}
    for _ in range(3):
        audit(region())
    assert (client.deleted, client.looks) == ([], 2)


def test_placement_is_looked_at_again_only_after_a_function_has_gone(audit, client) -> None:
    for _ in range(4):
        audit(region(function="x"))
    assert client.looks == 2
    audit(region(function="y"))
    for _ in range(3):
        audit(region(function="y"))
    assert client.looks == 4


def test_placement_that_does_not_answer_is_asked_again(audit, client) -> None:
    client.unused, client.status = ["CUSTOM_FPGA_FUNCTION_OLD"], 503
    for _ in range(3):
        audit(region())
    client.status = 200
    for _ in range(2):
        audit(region())
    assert client.deleted == ["CUSTOM_FPGA_FUNCTION_OLD"]


def test_host_whose_name_looks_like_that_of_a_card_is_none(program, tree, config) -> None:
    name = "rack_fpga_3"
    tree.new_root(name, str(uuid.uuid4()))
    program.answers(out=status(region(**FREE, device="a")))
    calls.update_resources({})
    providers.ours.decide_anew()
    inventory.update_provider_tree(tree, name)
    config(providers="card")
    providers.ours.decide_anew()
    with pytest.raises(exception.ReshapeNeeded):
        inventory.update_provider_tree(tree, name)
    inventory.update_provider_tree(tree, name, {})
    assert tree.exists(name)
    assert providers.ours.card_of(tree.data(f"{name}_fpga_a").uuid) == "a"


def test_option_takes_effect_only_while_the_regions_can_be_told(
    audit, tree, config, caplog
) -> None:
    audit(region(device="a"))
    providers.ours.decide_anew()
    config(providers="card")
    audit(code=127, err="Error: FPGA device is not accessible")
    assert not providers.ours.by_card
    assert "providers = card takes effect when nova-compute starts" in caplog.text
