# SPDX-License-Identifier: Apache-2.0
"""What Nova calls, and what it does where there is no FPGA."""

from types import SimpleNamespace

import pytest
from nova import context as nova_context
from nova import exception
from stevedore import extension

from fpga_hooks import calls
from tests.unit.fpga_hooks.conftest import (
    IMAGE,
    OWNER,
    REGION,
    Instance,
    Program,
    an_instance,
    region,
    status,
)


@pytest.fixture(autouse=True)
def _forget_hooks():
    calls._hooks.cache_clear()
    yield
    calls._hooks.cache_clear()


def test_a_host_without_access_reports_none_and_loads_no_hook(program: Program, config) -> None:
    config(access=False)
    resources: dict[str, int] = {}
    calls.init_host("node")
    calls.update_resources(resources)
    assert resources == {"fpga_regions": 0}
    assert program.calls == []


def test_the_installed_hooks_are_found_and_called(program: Program) -> None:
    program.answers(out=status(region(), region(state="free", owner=None)))
    resources: dict[str, int] = {}
    calls.update_resources(resources)
    assert resources["fpga_regions"] == 2
    assert program.calls == ["status --format json"]


def test_a_hook_that_cannot_be_loaded_stops_the_service(program: Program, monkeypatch) -> None:
    def broken(self, ep, *args, **kwargs):
        raise AttributeError("it is broken")

    monkeypatch.setattr(extension.ExtensionManager, "_load_one_plugin", broken)
    with pytest.raises(ImportError, match="cannot be loaded: it is broken"):
        calls.init_host("node")


def test_no_hook_at_all_stops_the_service(program: Program, monkeypatch) -> None:
    monkeypatch.setattr(calls, "GROUP", "nova.fpga.hooks.of.nobody")
    with pytest.raises(ImportError, match=r"no hook is installed.*set \[fpga\] access = False"):
        calls.init_host("node")


@pytest.mark.parametrize(("version", "database"), [("head", "main"), (None, "api"), ("1", "api")])
def test_only_a_whole_sync_of_the_main_database_reaches_our_columns(
    version: str | None, database: str
) -> None:
    calls.upgrade_database(object(), version, database)


CONTEXT = nova_context.RequestContext("user", "project", is_admin=True)
BEFORE = {"image_base_image_ref": "old", "image_docker_devices": "/dev/fpga0", "boot_roles": "x"}


def _rebuilt(**extra_specs: str) -> Instance:
    """An instance after nova-api has taken a rebuild with another image."""
    instance = an_instance({key.replace("__", ":"): value for key, value in extra_specs.items()})
    instance.vm_state, instance.task_state, instance.image_ref = "active", "rebuilding", "new"
    instance.system_metadata = {
        "image_base_image_ref": "new",
        "image_hw_fpga_ip_id": OWNER,
        "boot_roles": "x",
    }
    return instance


def _check(instance: Instance, evacuate: bool = False, driver: object = None) -> None:
    calls.check_rebuild(driver, CONTEXT, instance, "old", BEFORE, evacuate)


def test_refused_rebuild_gives_an_instance_its_image_back(program: Program) -> None:
    program.answers(err="Error: cannot tell - the card is gone", code=127)
    instance = _rebuilt(hw__fpga_ip_id=IMAGE)
    with pytest.raises(exception.InstanceFaultRollback) as caught:
        _check(instance)
    assert isinstance(caught.value.inner_exception, exception.BuildAbortException)
    assert "the server is as it was: cannot tell - the card" in str(caught.value.inner_exception)
    assert (instance.image_ref, instance.system_metadata) == ("old", BEFORE)


def test_rebuild_burns_what_is_missing_and_nothing_that_a_guest_has(program: Program) -> None:
    report = status(region(number=1))
    program.answers(out=REGION, first=f"case $1 in status) echo '{report}'; exit;; esac")
    _check(_rebuilt(hw__fpga_ip_id=IMAGE, hw__fpga_ip_id_2=OWNER))
    assert program.calls == ["status --format json", f"burn {OWNER} --owner {OWNER} --number 2"]


def test_ordinary_rebuild_asks_nobody(program: Program) -> None:
    instance = _rebuilt()
    _check(instance)
    assert (program.calls, instance.image_ref) == ([], "new")


def test_driver_that_refuses_a_rebuild_is_asked_first(program: Program) -> None:
    def check_rebuild(*_arguments) -> None:
        raise exception.ImageUnacceptable(image_id="new", reason="it is no archive")

    instance, driver = _rebuilt(hw__fpga_ip_id=IMAGE), SimpleNamespace(check_rebuild=check_rebuild)
    with pytest.raises(exception.InstanceFaultRollback) as caught:
        _check(instance, driver=driver)
    assert "it is no archive" in str(caught.value.inner_exception)
    assert (program.calls, instance.image_ref) == ([], "old")


def test_driver_that_has_no_rescue_is_asked_before_the_guest_is_stopped() -> None:
    instances: list[object] = []
    instance = _rebuilt()
    calls.check_rescue(SimpleNamespace(check_rescue=instances.append), instance)
    calls.check_rescue(object(), instance)
    assert instances == [instance]


def test_evacuation_has_no_guest_to_save(program: Program) -> None:
    _check(_rebuilt(hw__fpga_ip_id=IMAGE), evacuate=True)
    assert program.calls == []


def test_defect_of_a_hook_is_a_refusal_too(program: Program, monkeypatch) -> None:
    def broken(*_arguments) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("fpga_hooks.instance.entitlement.decide", broken)
    with pytest.raises(exception.InstanceFaultRollback, match="a defect"):
        _check(_rebuilt())
