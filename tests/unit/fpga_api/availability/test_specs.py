# SPDX-License-Identifier: Apache-2.0
"""A flavor asks Placement for what Nova's scheduler asks it for."""

import typing

import pytest

from fpga_api.availability import specs
from fpga_api.availability.demand import Group, UncountableError
from fpga_api.availability.flavors import Flavor, of_document

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
REGION = Group((("CUSTOM_FPGA_REGION", 1),), frozenset({"CUSTOM_FPGA_BOARD_U250"}))
ZIP = Group((("CUSTOM_FPGA_REGION", 1),), frozenset({"CUSTOM_ACCELERATOR_ZIP"}))
V100 = Group((("CUSTOM_PCI_10DE_1DB6", 1),), frozenset({"CUSTOM_FAST"}))

_ALIASES = (
    '{"name": "V100", "vendor_id": "10de", "product_id": "1db6", "traits": "fast"}',
    '{"name": "vf", "resource_class": "net-vf", "traits": "HW_NIC_SRIOV,CUSTOM_X"}',
    '{"name": "none", "product_id": "1db6"}',
)
_PROFILES = {
    "two": [
        {"resources:FPGA": "1", "trait:CUSTOM_FPGA_A": "required", "accel:function_id": "x"},
        {"resources:PGPU": "2"},
    ]
}


def terms(regions: bool = True, quota: bool = False) -> specs.Terms:
    aliases = {one.name: one for one in map(specs.parse_alias, _ALIASES)}
    return specs.Terms(
        aliases,
        regions,
        quota,
        lambda _image: frozenset({"CUSTOM_FPGA_BOARD_U250"}),
        _PROFILES.__getitem__,
    )


def flavor(**sizes: typing.Any) -> Flavor:
    return Flavor(**{"id": "1", "name": "f", "vcpus": 4, "ram": 8192, "disk": 20} | sizes)


def demand(extra: dict[str, str], **sizes: typing.Any) -> typing.Any:
    return specs.demand(flavor(extra_specs=extra, **sizes), terms())


@pytest.mark.parametrize(
    ("extra", "groups"),
    [
        ({}, []),
        ({"hw:fpga_ip_id": IMAGE}, [REGION]),
        ({"hw:fpga_ip_id": IMAGE, "hw:fpga_ip_id_2": IMAGE}, [REGION] * 2),
        ({"pci_passthrough:alias": "V100:2"}, [V100] * 2),
        (
            {"pci_passthrough:alias": "V100:1,vf:1"},
            [V100, Group((("CUSTOM_NET_VF", 1),), frozenset({"HW_NIC_SRIOV", "CUSTOM_X"}))],
        ),
        (
            {"accel:device_profile": "two"},
            [Group((("FPGA", 1),), frozenset({"CUSTOM_FPGA_A"})), Group((("PGPU", 2),))],
        ),
        (
            {"resources_x:VGPU": "1", "trait_x:CUSTOM_A": "required", "trait_x:B": "forbidden"},
            [Group((("VGPU", 1),), frozenset({"CUSTOM_A"}), frozenset({"B"}))],
        ),
        ({"hw:fpga_function": "Zip"}, [ZIP]),
        ({"hw:fpga_function_2": "zip", "hw:fpga_ip_id": IMAGE}, [REGION, ZIP]),
        # The scheduler leaves a flavor alone that names the class itself.
        (
            {"hw:fpga_ip_id": IMAGE, "resources1:CUSTOM_FPGA_REGION": "1"},
            [Group((("CUSTOM_FPGA_REGION", 1),))],
        ),
    ],
)
def test_groups_are_those_of_the_scheduler(extra: dict[str, str], groups: list[Group]) -> None:
    found = demand(extra)
    assert list(found.groups) == groups
    assert dict(found.base.resources) == {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 20}


@pytest.mark.parametrize(
    ("extra", "sizes", "base"),
    [
        ({}, {"disk": 0}, {"VCPU": 4, "MEMORY_MB": 8192}),
        ({}, {"ephemeral": 5, "swap": 1025}, {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 27}),
        ({"resources:VCPU": "0"}, {}, {"MEMORY_MB": 8192, "DISK_GB": 20}),
        ({"resources:MEMORY_MB": "1"}, {}, {"VCPU": 4, "MEMORY_MB": 1, "DISK_GB": 20}),
        ({"resources:VGPU": "2"}, {}, {"VCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 20, "VGPU": 2}),
        ({"hw:cpu_policy": "dedicated"}, {}, {"PCPU": 4, "MEMORY_MB": 8192, "DISK_GB": 20}),
        (
            {"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"},
            {},
            {"PCPU": 5, "MEMORY_MB": 8192, "DISK_GB": 20},
        ),
    ],
)
def test_unnumbered_group_has_the_size_of_the_flavor(
    extra: dict[str, str], sizes: dict[str, int], base: dict[str, int]
) -> None:
    assert dict(demand(extra, **sizes).base.resources) == base


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ({"hw:fpga_ip_id": "some bitstream"}, "fpga.flavor_invalid"),
        ({"hw:FPGA_IP_ID": IMAGE}, "fpga.flavor_invalid"),
        ({"hw:fpga_function": "my zip"}, "fpga.flavor_invalid"),
        ({"hw:fpga_function": "zip", "hw:fpga_ip_id": IMAGE}, "fpga.flavor_invalid"),
        ({"pci_passthrough:alias": "V100"}, "fpga.flavor_invalid"),
        ({"pci_passthrough:alias": "V100:x"}, "fpga.flavor_invalid"),
        ({"pci_passthrough:alias": "A100:1"}, "fpga.alias_unknown"),
        ({"pci_passthrough:alias": "none:1"}, "fpga.alias_unknown"),
        ({"resources:VGPU": "-1"}, "fpga.flavor_invalid"),
        ({"resources:VGPU&limit=1": "1"}, "fpga.flavor_invalid"),
        ({"resources:VGPU": "1", "trait:CUSTOM_A": "maybe"}, "fpga.flavor_invalid"),
        ({"resources1:VGPU": "1", "resources2:VGPU": "1"}, "fpga.flavor_invalid"),
        ({"hw:mem_encryption": "true", "resources:VGPU": "1"}, "fpga.flavor_not_counted"),
        ({"hw:cpu_policy": "mixed", "resources:VGPU": "1"}, "fpga.flavor_not_counted"),
        (
            {"resources1:VGPU": "1", "resources2:VGPU": "2", "group_policy": "none"},
            "fpga.flavor_mixed_amounts",
        ),
    ],
)
def test_flavor_that_gets_no_server_says_why(extra: dict[str, str], code: str) -> None:
    with pytest.raises(UncountableError) as refused:
        demand(extra)
    assert refused.value.code == code


def test_policy_of_several_groups_is_that_of_the_flavor() -> None:
    two = {"resources1:VGPU": "1", "resources2:VGPU": "1"}
    assert demand({**two, "group_policy": "isolate"}).isolate
    assert not demand({**two, "group_policy": "none"}).isolate
    assert not demand({"pci_passthrough:alias": "V100:2"}).isolate


def test_unified_limits_count_every_region_where_nova_does() -> None:
    def regions(extra: dict[str, str]) -> int:
        found = specs.demand(flavor(extra_specs=extra), terms(quota=True)).limited
        return dict(found).get("CUSTOM_FPGA_REGION", 0)

    bitstream = {"hw:fpga_ip_id": IMAGE}
    assert regions({**bitstream, "hw:fpga_function_2": "zip"}) == 2
    assert regions({**bitstream, "resources:CUSTOM_FPGA_REGION": "1"}) == 1
    assert regions({**bitstream, "resources:CUSTOM_FPGA_INTEL_PF": "1"}) == 0
    assert regions({"resources:VGPU": "1"}) == 0


def test_unified_limits_count_what_the_flavor_itself_asks_for() -> None:
    extra = {"hw:fpga_ip_id": IMAGE, "resources1:VGPU": "2", "pci_passthrough:alias": "V100:1"}
    assert dict(demand(extra).limited) == {
        "DISK_GB": 20,
        "MEMORY_MB": 8192,
        "VCPU": 4,
        "VGPU": 2,
    }
    assert demand(extra).accelerators == {
        "CUSTOM_FPGA_REGION": 1,
        "CUSTOM_PCI_10DE_1DB6": 1,
        "VGPU": 2,
    }


def test_regions_are_not_asked_for_where_the_scheduler_does_not() -> None:
    found = specs.demand(flavor(extra_specs={"hw:fpga_ip_id": IMAGE}), terms(regions=False))
    assert found.accelerators == {}


@pytest.mark.parametrize("text", ["{}", "V100", "[]", '{"name": " "}'])
def test_alias_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        specs.parse_alias(text)


def test_flavor_of_nova_is_read_with_its_old_words() -> None:
    found = of_document(
        {
            "id": "1",
            "name": "f",
            "vcpus": 1,
            "ram": 2,
            "disk": 0,
            "swap": "",
            "OS-FLV-DISABLED:disabled": True,
            "os-flavor-access:is_public": False,
        }
    )
    assert (found.swap, found.disabled, found.public, found.local_disk) == (0, True, False, 0)
