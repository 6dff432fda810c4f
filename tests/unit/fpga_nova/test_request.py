# SPDX-License-Identifier: Apache-2.0
"""How many regions are wanted, held and left."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nova import objects

from fpga_hooks import calls
from fpga_nova import request
from tests.unit.fpga_hooks.conftest import an_instance

objects.register_all()

REGION = "a0399bc1-cb67-4548-b0b8-aa95a91402d3"
FPGA = {"hw:fpga_ip_id": "dd834aa4-f950-40e6-8c23-9dab7f3f0138"}


IMAGE = FPGA["hw:fpga_ip_id"]


@pytest.mark.parametrize(
    ("extra_specs", "amount"),
    [
        (FPGA, 1),
        (FPGA | {"hw:fpga_ip_id_2": IMAGE}, 2),
        ({"hw:fpga_ip_id_6": IMAGE}, 1),
        ({"hw:fpga_ip_id_7": IMAGE}, 0),
        ({"hw:fpga_ip_id_1": IMAGE}, 0),
        ({}, 0),
        (None, 0),
        ({"fpga": "1"}, 0),
        ({"hw:fpga_ip_ids": "1"}, 0),
        ({"my:hw:fpga_ip_id": "1"}, 0),
        ({"trait:CUSTOM_FPGA": "required"}, 0),
    ],
)
def test_each_of_six_keys_asks_for_a_region_and_no_other_does(
    extra_specs: dict[str, str] | None, amount: int
) -> None:
    assert request.region_count(extra_specs) == amount


def test_a_flavor_whose_extra_specs_were_not_loaded_asks_for_none() -> None:
    assert request.extra_specs_of(objects.Flavor()) == {}
    assert request.wanted_of(objects.Flavor()) == ({}, {})


def test_images_are_in_order_of_their_numbers() -> None:
    specs = {"hw:fpga_ip_id_3": "c", "hw:fpga_ip_id": "a", "hw:fpga_ip_id_2": "b"}
    bitstreams, functions = request.wanted_of(objects.Flavor(extra_specs=specs))
    assert functions == {}
    assert list(bitstreams.items()) == [(1, "a"), (2, "b"), (3, "c")]


def test_flavor_without_a_flaw_has_none() -> None:
    assert request.flaw(FPGA | {"hw:fpga_ip_id_6": IMAGE, "hw:cpu_policy": "x"}) is None


@pytest.mark.parametrize("key", ["hw:fpga_ip_id", "hw:fpga_ip_id_2"])
def test_value_that_is_no_uuid_is_a_flaw(key: str) -> None:
    words = request.flaw(FPGA | {key: "lzo"})
    assert words is not None
    assert words.startswith(f"the flavor's {key} is 'lzo', which is not the uuid of an image")


@pytest.mark.parametrize(
    "key", ["HW:FPGA_IP_ID", "Hw:fpga_ip_id", "HW:fpga_ip_id_2", "hw:FPGA_function_3"]
)
def test_key_in_other_letters_is_a_flaw(key: str) -> None:
    words = request.flaw({key: IMAGE})
    assert words is not None
    assert f"has {key}, which asks for nothing: write it {key.lower()}" in words


@pytest.mark.parametrize("key", ["hw:fpga_ip_id", "hw:fpga_function"])
@pytest.mark.parametrize("number", ["0", "1", "7", "10", "02", "x", ""])
def test_number_that_no_region_can_have_is_a_flaw(number: str, key: str) -> None:
    words = request.flaw({f"{key}_{number}": IMAGE})
    assert words is not None
    assert f"the flavor has {key}_{number}, which asks for nothing" in words


CLASS, PF = "CUSTOM_FPGA_REGION", "CUSTOM_FPGA_INTEL_PF"
CRYPTO, ZIP = "trait:CUSTOM_ACCELERATOR_CRYPTO", "trait:CUSTOM_ACCELERATOR_ZIP"


@pytest.mark.parametrize(
    ("extra_specs", "functions"),
    [
        ({"hw:fpga_function": "crypto"}, {1: "crypto"}),
        ({"hw:fpga_function_2": "Lzo-1.x", "hw:fpga_function": "zip"}, {1: "zip", 2: "lzo_1_x"}),
        ({"hw:fpga_ip_id": IMAGE, "hw:fpga_function_2": "zip"}, {2: "zip"}),
        ({f"resources:{CLASS}": "1", CRYPTO: "required"}, {1: "crypto"}),
        ({f"resources:{CLASS}": "2", CRYPTO: "required"}, {1: "crypto", 2: "crypto"}),
        (
            {
                f"resources1:{CLASS}": "1",
                f"resources2:{CLASS}": "1",
                ZIP.replace(":", "1:"): "required",
                CRYPTO.replace(":", "2:"): "required",
            },
            {1: "zip", 2: "crypto"},
        ),
        ({f"resources:{PF}": "2", CRYPTO: "required"}, {1: "crypto", 2: "crypto"}),
        ({"resources:VCPU": "1", CRYPTO: "required"}, {}),
        ({f"resources1:{CLASS}": "1", CRYPTO: "required"}, {}),
        ({f"resources:{CLASS}": "1", CRYPTO: "forbidden"}, {}),
        ({f"resources:{CLASS}": "1"}, {}),
        ({f"resources:{CLASS}": "0", CRYPTO: "required"}, {}),
        ({CRYPTO: "required"}, {}),
        ({f"resources:{CLASS}": "1", CRYPTO: "required", "hw:fpga_ip_id": IMAGE}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_functions_are_asked_for_by_name_or_by_class_and_trait(extra_specs, functions) -> None:
    assert request.functions_wanted(extra_specs) == functions
    assert request.flaw(extra_specs or {}) is None
    images = len(request.bitstreams(extra_specs))
    assert request.region_count(extra_specs) == images + len(functions)


@pytest.mark.parametrize("value", ["", "my crypto", " crypto", "crypto\n", "-x", "x" * 65, "ü"])
def test_value_that_is_no_function_is_a_flaw(value: str) -> None:
    words = request.flaw({"hw:fpga_function": value})
    assert words is not None
    assert words.startswith(f"the flavor's hw:fpga_function is '{value}', which is not a function")


@pytest.mark.parametrize(
    ("extra_specs", "words"),
    [
        (FPGA | {"hw:fpga_function": "zip"}, "both a bitstream and a function for region 1"),
        (
            {"hw:fpga_function": "zip", f"resources:{CLASS}": "1", ZIP: "required"},
            f"has hw:fpga_function and names {CLASS} itself",
        ),
        ({"hw:fpga_function": "zip", f"resources3:{PF}": "1"}, f"names {PF} itself"),
        ({f"resources:{PF}": "1.5", ZIP: "required"}, f"asks for '1.5' of {PF}"),
        (
            {f"resources:{CLASS}": "1", ZIP: "required", CRYPTO: "required"},
            "traits of 2 functions of one group of regions: crypto, zip",
        ),
        ({f"resources:{CLASS}": "x", ZIP: "required"}, f"asks for 'x' of {CLASS}"),
        ({f"resources:{CLASS}": "7", ZIP: "required"}, "asks for 7 regions, and a server has up"),
    ],
)
def test_two_spellings_at_once_are_a_flaw(extra_specs, words: str) -> None:
    assert words in str(request.flaw(extra_specs))


def test_six_ids_of_ours_have_room_in_the_database() -> None:
    ids = dict.fromkeys(range(1, 7), REGION)
    assert request.joined(ids) == ",".join([REGION] * 6)


def test_ids_are_joined_in_order_of_their_numbers() -> None:
    assert request.joined({2: "b", 1: "a"}) == "a,b"
    assert request.joined({}) is None


def test_a_compute_node_of_an_unpatched_nova_has_no_regions() -> None:
    assert request.regions_free(objects.ComputeNode()) == 0


@pytest.mark.parametrize(
    ("total", "used", "free"), [(None, None, 0), (2, None, 2), (2, 1, 1), (1, 2, 0), (None, 1, 0)]
)
def test_counts_that_are_none_read_as_zero(total: int | None, used: int | None, free: int) -> None:
    holder = SimpleNamespace(fpga_regions=total, fpga_regions_used=used)
    assert request.regions_free(holder) == free


def _claim(extra_specs: dict[str, str]) -> SimpleNamespace:
    """A resize: what counts is the flavor that the instance gets, not that which it has."""
    flavor = objects.Flavor(extra_specs=extra_specs)
    return SimpleNamespace(flavor=flavor, instance=an_instance({}))


def test_an_ordinary_instance_is_never_refused_for_its_host_having_used_regions() -> None:
    for total, used in ((None, None), (0, 0), (0, 3), (1, 1), (1, 2)):
        node = SimpleNamespace(fpga_regions=total, fpga_regions_used=used)
        assert calls.claim_failure(_claim({}), node) is None


def test_a_claim_is_refused_where_no_region_is_left() -> None:
    node = SimpleNamespace(fpga_regions=2, fpga_regions_used=2)
    assert calls.claim_failure(_claim(FPGA), node) == "1 FPGA region wanted, 0 free"
    node.fpga_regions_used = 1
    assert calls.claim_failure(_claim(FPGA), node) is None


def test_claim_of_two_is_refused_where_one_is_left() -> None:
    node = SimpleNamespace(fpga_regions=2, fpga_regions_used=1)
    two = _claim(FPGA | {"hw:fpga_ip_id_2": IMAGE})
    assert calls.claim_failure(two, node) == "2 FPGA regions wanted, 1 free"
    node.fpga_regions_used = 0
    assert calls.claim_failure(two, node) is None


def test_instance_of_two_regions_is_counted_as_two() -> None:
    node = SimpleNamespace(fpga_regions=8, fpga_regions_used=0)
    specs = FPGA | {"hw:fpga_ip_id_2": IMAGE}
    calls.update_usage(node, {"extra_specs": specs}, 1)
    assert node.fpga_regions_used == 2
    calls.consume_host_state(node, SimpleNamespace(flavor=objects.Flavor(extra_specs=specs)))
    assert node.fpga_regions_used == 4


def test_a_claim_without_a_flavor_of_its_own_is_for_the_flavor_of_its_instance() -> None:
    claim = SimpleNamespace(instance=an_instance(FPGA))
    node = SimpleNamespace(fpga_regions=0, fpga_regions_used=0)
    assert calls.claim_failure(claim, node) is not None


@given(st.lists(st.booleans()))
def test_usage_is_the_number_of_instances_that_came_and_did_not_go(steps: list[bool]) -> None:
    node = SimpleNamespace(fpga_regions=8)
    calls.reset_usage(node)
    amount = 0
    for comes in steps:
        if not comes and amount == 0:
            continue
        calls.update_usage(node, {"extra_specs": FPGA}, 1 if comes else -1)
        calls.update_usage(node, {"extra_specs": {}}, 1)
        calls.update_usage(node, {}, -1)
        amount += 1 if comes else -1
        assert node.fpga_regions_used == amount


def test_the_host_state_falls_with_each_request_placed_on_it() -> None:
    state = SimpleNamespace()
    calls.init_host_state(state)
    assert request.regions_free(state) == 0
    calls.update_host_state(state, SimpleNamespace(fpga_regions=2, fpga_regions_used=None))
    spec = SimpleNamespace(flavor=objects.Flavor(extra_specs=FPGA))
    calls.consume_host_state(state, spec)
    assert request.regions_free(state) == 1
    calls.consume_host_state(state, SimpleNamespace(flavor=objects.Flavor(extra_specs={})))
    assert request.regions_free(state) == 1
