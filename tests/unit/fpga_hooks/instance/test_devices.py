# SPDX-License-Identifier: Apache-2.0
"""Which devices a container gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nova import exception, objects

from fpga_hooks.instance import devices
from fpga_hooks.program import errors
from tests.unit.fpga_hooks.conftest import IMAGE, Instance, Program, an_instance, region, status

objects.register_all()

HAVE = [
    devices.Device("socket", "/run/r/fpga0", "/dev/fpga0"),
    devices.Device("char", "/dev/xdma1", "/dev/fpga1"),
]


def _instance(extra_specs: dict[str, str] | None = None, selection: str | None = None) -> Instance:
    instance = an_instance({"hw:fpga_ip_id": IMAGE} if extra_specs is None else extra_specs)
    if selection is not None:
        instance.system_metadata["image_docker_devices"] = selection
    return instance


@pytest.mark.parametrize("selection", [None, "", "  "])
def test_without_a_selection_all_devices_are_passed(selection: str | None) -> None:
    assert devices.narrow(HAVE, selection) == HAVE


def test_a_selection_may_leave_devices_out_and_rename_them() -> None:
    passed = devices.narrow(HAVE, "/dev/fpga1:/dev/accel")
    assert passed == [devices.Device("char", "/dev/xdma1", "/dev/accel")]


def test_the_seeds_list_of_three_gives_what_the_region_has_of_them() -> None:
    assert devices.narrow(HAVE[:1], "/dev/fpga1,/dev/fpga0,/dev/fpga2") == HAVE[:1]


@pytest.mark.parametrize(
    "selection", ["/dev/sda", "/dev/mem:/dev/fpga0", "/dev/xdma1:/dev/fpga0", "/run/r/fpga0:/dev/x"]
)
def test_a_selection_for_nothing_but_other_devices_of_the_host_is_refused(selection: str) -> None:
    with pytest.raises(errors.CliError, match="names none of the devices"):
        devices.narrow(HAVE, selection)


@pytest.mark.parametrize(
    "selection", ["/dev/fpga0:/etc/passwd", "/dev/fpga0:/dev/../proc/x", "/dev/fpga0:/dev//a", ","]
)
def test_a_path_outside_dev_is_refused(selection: str) -> None:
    with pytest.raises(errors.CliError, match="below /dev/"):
        devices.narrow(HAVE, selection)


@pytest.mark.parametrize(
    "selection",
    ["/dev/fpga0:/dev/accel:rwm", "/dev/fpga0:/dev/accel:", "/dev/fpga0::rwm", "/dev/a:b:c"],
)
def test_a_selection_for_permissions_is_refused(selection: str) -> None:
    with pytest.raises(errors.CliError, match="nothing after them"):
        devices.narrow(HAVE, selection)


@given(st.text(alphabet="/devfpga01:,x. ", max_size=60))
def test_no_path_that_a_selection_gives_can_be_taken_apart(selection: str) -> None:
    try:
        passed = devices.narrow(HAVE, selection)
    except errors.CliError:
        return
    assert not any(":" in device.container_path for device in passed)


@given(st.text(alphabet="/devfpga01:,x. ", max_size=60))
def test_no_selection_ever_reaches_another_node_of_the_host(selection: str) -> None:
    try:
        passed = devices.narrow(HAVE, selection)
    except errors.CliError:
        return
    assert {(d.kind, d.host_path) for d in passed} <= {(d.kind, d.host_path) for d in HAVE}


def test_an_instance_gets_the_nodes_of_its_own_region_only(program: Program) -> None:
    other = {"kind": "char", "path": "/dev/other", "name": "/dev/fpga0"}
    program.answers(out=status(region(id="o", owner=IMAGE, nodes=[other]), region()))
    assert devices.for_instance(_instance()) == [
        devices.Device("socket", "/run/r0/fpga0", "/dev/fpga0")
    ]


def _device(path: str, name: str) -> devices.Device:
    return devices.Device("char", path, name)


def test_names_of_two_regions_that_clash_go_on_with_the_next_number() -> None:
    regions = [[_device("/a", "/dev/fpga0")], [_device("/b", "/dev/fpga0")]]
    assert devices.apart(regions) == [_device("/a", "/dev/fpga0"), _device("/b", "/dev/fpga1")]


def test_names_that_do_not_clash_stay() -> None:
    first = [_device("/a", "/dev/fpga0"), _device("/b", "/dev/crc")]
    second = [_device("/c", "/dev/fpga0"), _device("/d", "/dev/fpga1"), _device("/e", "/dev/crc")]
    names = [device.container_path for device in devices.apart([first, second])]
    assert names == ["/dev/fpga0", "/dev/crc", "/dev/fpga2", "/dev/fpga1", "/dev/crc1"]


@given(
    st.lists(st.lists(st.sampled_from(["/dev/a", "/dev/a0", "/dev/a1", "/dev/a2"]), unique=True))
)
def test_no_two_devices_have_one_name_and_none_is_lost(names: list[list[str]]) -> None:
    regions = [[_device(f"/{n}{name}", name) for name in row] for n, row in enumerate(names)]
    passed = devices.apart(regions)
    assert [d.host_path for d in passed] == [d.host_path for region in regions for d in region]
    assert len({d.container_path for d in passed}) == len(passed)


TWO = {"hw:fpga_ip_id": IMAGE, "hw:fpga_ip_id_2": IMAGE}


def test_instance_of_two_regions_gets_the_nodes_of_both_and_may_rename_them(
    program: Program,
) -> None:
    node = {"kind": "char", "path": "/dev/other", "name": "/dev/fpga0"}
    second = region(id="r2", number=2, nodes=[node])
    program.answers(out=status(second, region(number=1)))
    assert devices.for_instance(_instance(TWO, selection="/dev/fpga0,/dev/fpga1:/dev/accel")) == [
        devices.Device("socket", "/run/r0/fpga0", "/dev/fpga0"),
        devices.Device("char", "/dev/other", "/dev/accel"),
    ]


def test_instance_of_two_regions_is_not_started_with_one(program: Program) -> None:
    program.answers(out=status(region(number=1)))
    with pytest.raises(exception.InstanceDeployFailure, match="no FPGA region 2 is programmed"):
        devices.for_instance(_instance(TWO))


def test_region_that_the_flavor_does_not_ask_for_any_more_is_not_passed(program: Program) -> None:
    program.answers(out=status(region(number=1), region(id="r2", number=2)))
    assert len(devices.for_instance(_instance())) == 1


def test_a_selection_that_nova_may_have_cut_is_refused(program: Program) -> None:
    program.answers(out=status(region()))
    whole = "/dev/fpga0:/dev/fpga0" + "0" * 230
    assert devices.for_instance(_instance(selection=whole))[0].container_path == whole[11:]
    with pytest.raises(exception.NovaException, match="docker_devices is longer than 251 bytes"):
        devices.for_instance(_instance(selection=f"{whole}0123"))


def test_a_region_whose_node_has_a_colon_in_its_name_is_not_passed(program: Program) -> None:
    node = {"kind": "char", "path": "/dev/a", "name": "/dev/fpga0:/dev/b"}
    program.answers(out=status(region(nodes=[node])))
    with pytest.raises(exception.NovaException, match="a node that no container can get"):
        devices.for_instance(_instance())


def test_an_ordinary_instance_gets_none_and_asks_nobody(program: Program) -> None:
    assert devices.for_instance(_instance({}, selection="/dev/sda")) == []
    assert program.calls == []


def test_an_instance_without_its_region_is_not_started_without_it(program: Program) -> None:
    program.answers(out=status(region(owner=IMAGE)))
    with pytest.raises(exception.InstanceDeployFailure, match="no FPGA region is programmed"):
        devices.for_instance(_instance())


def test_a_selection_that_cannot_be_met_aborts_the_build_because_no_other_host_can(
    program: Program,
) -> None:
    program.answers(out=status(region()))
    with pytest.raises(exception.BuildAbortException, match="docker_devices"):
        devices.for_instance(_instance(selection="/dev/sda"))
