# SPDX-License-Identifier: Apache-2.0
"""The two hooks that ship."""

import typing

import pytest
from nova import context as nova_context
from nova import exception, objects

from fpga_hooks import build, delete
from fpga_hooks.program import last_look
from tests.unit.fpga_hooks.bitstreams import bitstream
from tests.unit.fpga_hooks.conftest import (
    IMAGE,
    OWNER,
    REGION,
    Instance,
    an_instance,
    region,
    status,
)


@pytest.fixture
def context() -> nova_context.RequestContext:
    return nova_context.RequestContext("user", "project", is_admin=True)


def _fpga(device: str | None = None) -> Instance:
    return an_instance({"hw:fpga_ip_id": IMAGE}, device)


@pytest.fixture(autouse=True)
def _host(monkeypatch) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "node")


def test_a_build_burns_the_flavors_bitstream_and_writes_the_region(program, context) -> None:
    program.answers(out=REGION)
    instance = _fpga()
    build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]
    assert instance.fpga_device == REGION


def test_regions_are_burnt_one_after_the_other_by_their_numbers(program, context) -> None:
    program.answers(out=REGION)
    instance = an_instance({"hw:fpga_ip_id_3": REGION, "hw:fpga_ip_id": IMAGE})
    build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == [
        f"burn {IMAGE} --owner {OWNER}",
        f"burn {REGION} --owner {OWNER} --number 3",
    ]
    assert instance.fpga_device == f"{REGION},{REGION}"


def test_after_a_burn_that_fails_no_other_is_tried(program, context) -> None:
    program.answers(err="Error: cannot program - no free region", code=65)
    instance = an_instance({"hw:fpga_ip_id": IMAGE, "hw:fpga_ip_id_2": REGION})
    with pytest.raises(exception.ComputeResourcesUnavailable, match="no free region"):
        build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert (len(program.calls), instance.fpga_device) == (1, None)


def test_number_that_no_region_can_have_aborts_the_build(program, context) -> None:
    instance = an_instance({"hw:fpga_ip_id_7": IMAGE})
    with pytest.raises(exception.BuildAbortException, match="which asks for nothing"):
        build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == []


def test_the_bitstream_that_an_image_names_is_not_burnt(program, context) -> None:
    instance = an_instance({})
    instance.system_metadata["image_hw_fpga_ip_id"] = IMAGE
    build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == []


def test_an_image_does_not_override_the_flavors_bitstream(program, context) -> None:
    program.answers(out=REGION)
    instance = _fpga()
    instance.system_metadata["image_hw_fpga_ip_id"] = REGION
    build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]


@pytest.mark.parametrize("value", ["not-a-uuid", "", "--help", IMAGE.upper(), IMAGE + "\n"])
def test_a_flavor_that_names_no_uuid_aborts_the_build(program, context, value: str) -> None:
    instance = an_instance({"hw:fpga_ip_id": value})
    with pytest.raises(exception.BuildAbortException, match="not the uuid of an image"):
        build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert program.calls == []


def test_a_failed_burn_leaves_the_column_empty(program, context) -> None:
    program.answers(err="Error: cannot program - bad zip", code=66)
    instance = _fpga()
    with pytest.raises(exception.BuildAbortException, match="bad zip"):
        build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert instance.fpga_device is None


def test_a_delete_erases_by_owner_and_clears_the_column(program, context) -> None:
    instance = _fpga(REGION)
    delete.FpgaDeleteInstanceHook().delete_instance(context, instance)
    assert program.calls == [f"erase --owner {OWNER}"]
    assert instance.fpga_device is None


def test_nova_saves_the_column_of_a_build_with_what_it_saves_next(program, context) -> None:
    program.answers(out=REGION)
    instance = _fpga()
    build.FpgaBuildInstanceHook().build_instance(context, instance, objects.ImageMeta())
    assert "fpga_device" in instance.obj_what_changed()


@pytest.mark.parametrize(("task", "by_nova"), [("deleting", True), ("spawning", False)])
def test_nova_saves_the_column_of_a_delete_and_of_nothing_else(
    program, context, task, by_nova
) -> None:
    instance = _fpga(REGION)
    instance.task_state = task
    instance.obj_reset_changes()
    delete.FpgaDeleteInstanceHook().delete_instance(context, instance)
    assert ("fpga_device" in instance.obj_what_changed()) == by_nova


def test_a_stale_column_does_not_decide_what_is_erased(program, context) -> None:
    instance = _fpga("region-of-somebody-else")
    delete.FpgaDeleteInstanceHook().delete_instance(context, instance)
    assert program.calls == [f"erase --owner {OWNER}"]


def test_a_delete_without_a_column_erases_all_the_same(program, context) -> None:
    delete.FpgaDeleteInstanceHook().delete_instance(context, _fpga())
    assert program.calls == [f"erase --owner {OWNER}"]


def test_the_column_of_an_instance_that_went_to_another_host_is_left_alone(
    program, context
) -> None:
    instance = _fpga(REGION)
    instance.host = "elsewhere"
    delete.FpgaDeleteInstanceHook().delete_instance(context, instance)
    assert program.calls == [f"erase --owner {OWNER}"]
    assert instance.fpga_device == REGION


def test_the_delete_of_an_ordinary_instance_runs_no_program(program, context) -> None:
    delete.FpgaDeleteInstanceHook().delete_instance(context, an_instance({}))
    assert program.calls == []


def test_a_failed_erase_is_logged_and_does_not_fail_the_delete(program, context, caplog) -> None:
    program.answers(err="Error: cannot erase - quarantined", code=31)
    delete.FpgaDeleteInstanceHook().delete_instance(context, _fpga(REGION))
    assert "cannot erase - quarantined" in caplog.text


def test_the_report_is_what_instances_may_have(program) -> None:
    program.answers(out=status(region(), region(owner=None, state="free")))
    resources: dict[str, int] = {}
    build.FpgaBuildInstanceHook().update_resources(resources)
    assert resources["fpga_regions"] == 2


def test_what_is_programmed_is_told_among_what_else_the_driver_tells(program) -> None:
    other = region(image_id=REGION)
    warm = region(image_id=OWNER, state="free", owner=None)
    program.answers(out=status(region(image_id=IMAGE), region(image_id=IMAGE), other, warm))
    resources = {"stats": {"uptime": "1 day"}}
    build.FpgaBuildInstanceHook().update_resources(resources)
    assert resources["stats"] == {
        "uptime": "1 day",
        "fpga_images": f"{REGION} {IMAGE}",
        "fpga_warm": OWNER,
    }


def test_functions_whose_best_bitstream_is_here_are_told(program, config, known) -> None:
    config(function_bitstreams=["public"])
    known(bitstream("a"), bitstream("b", function="zip"), bitstream("c", function="old"))
    here = {"board": "emulator", "part": "hx8k"}
    free = {"state": "free", "owner": None}
    program.answers(
        out=status(
            region(image_id="b", **here),
            region(image_id="a", **free, **here),
            region(image_id="d", **free, **here),
        )
    )
    resources: dict[str, typing.Any] = {}
    build.FpgaBuildInstanceHook().update_resources(resources)
    stats = resources["stats"]
    assert (stats["fpga_functions"], stats["fpga_functions_warm"]) == ("zip", "checksum")


def test_what_is_kept_warm_is_told_and_what_is_in_quarantine_is_not(program) -> None:
    warm = region(state="free", owner=None, image_id=IMAGE)
    out = region(state="quarantined", owner=None, image_id=REGION)
    program.answers(out=status(warm, region(state="free", owner=None), out))
    resources: dict[str, typing.Any] = {}
    build.FpgaBuildInstanceHook().update_resources(resources)
    assert resources["stats"] == {"fpga_images": "", "fpga_warm": IMAGE}


def test_a_status_that_fails_reports_no_regions_and_says_why(program, caplog) -> None:
    program.answers(err="Error: FPGA device is not accessible", code=127)
    resources: dict[str, int] = {}
    build.FpgaBuildInstanceHook().update_resources(resources)
    assert resources["fpga_regions"] == 0
    assert "not accessible" in caplog.text


def test_simulated_regions_are_refused_unless_asked_for(program, config) -> None:
    program.answers(out=status(region(simulated=True)))
    with pytest.raises(exception.InvalidConfiguration, match="simulation_mode"):
        build.FpgaBuildInstanceHook().init_host("node")
    config(simulation_mode=True)
    build.FpgaBuildInstanceHook().init_host("node")


def test_a_host_whose_program_cannot_be_run_does_not_start(program, config) -> None:
    config(exec="/nonexistent/fpga-cli.py")
    with pytest.raises(exception.InvalidConfiguration, match="cannot be run as root"):
        build.FpgaBuildInstanceHook().init_host("node")


def test_a_host_whose_hardware_is_gone_starts_and_says_so(program, caplog) -> None:
    program.answers(err="Error: FPGA device is not accessible", code=127)
    build.FpgaBuildInstanceHook().init_host("node")
    assert "not accessible" in caplog.text
