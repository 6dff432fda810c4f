# SPDX-License-Identifier: Apache-2.0
"""When a server gets, has and keeps a region for the bitstream that its image names."""

import typing
from types import SimpleNamespace

import pytest
from nova import context as nova_context
from nova import exception, objects

from fpga_hooks import build, calls, delete
from fpga_hooks.instance import entitlement, needs
from fpga_hooks.program import client, last_look
from fpga_nova import bitstream_images, grants, host_status, image_bitstreams, request
from fpga_nova.instance_request import InstanceRequest
from tests.unit.fpga_hooks.conftest import (
    IMAGE,
    OWNER,
    REGION,
    Instance,
    an_instance,
    region,
    status,
)

OTHER = "aaaaaaaa-0000-4000-8000-000000000001"
CONTEXT = nova_context.RequestContext("user", "project", is_admin=True)


@pytest.fixture(autouse=True)
def policy(config: typing.Callable[..., None]) -> typing.Callable[..., None]:
    """Images may name bitstreams, unless a test says otherwise."""

    def policy(*sources: str) -> None:
        config(access=True, image_bitstreams=list(sources))

    policy("public")
    return policy


def _instance(
    vm_state: str, task_state: str | None = None, device: str | None = None, **extra_specs: str
) -> Instance:
    instance = an_instance(extra_specs, device)
    instance.vm_state, instance.task_state = vm_state, task_state
    instance.system_metadata = {"image_hw_fpga_ip_id": IMAGE}
    return instance


def _bitstreams(instance: Instance) -> dict[int, str]:
    """Those that are counted for an instance."""
    return request.bitstreams(InstanceRequest.of(instance).account)


def _record(instance: Instance, rights: grants.Grants) -> None:
    InstanceRequest.of(instance).granted(rights).put_on_record(instance)


def _held(**changes: typing.Any) -> dict[int, host_status.Region]:
    """A region that the instance holds."""
    answer = region(image_id=IMAGE, **changes)
    report = {"total": 1, "used": 1, "quarantined": 0, "regions": [answer]}
    return host_status.read(report).owned_by(OWNER)


MAKINGS = [
    ("building", "spawning"),
    ("active", "rebuilding"),
    ("error", "rebuild_spawning"),
    ("stopped", "resize_prep"),
    ("resized", "resize_reverting"),
    ("shelved_offloaded", "spawning"),
    ("shelved_offloaded", None),
]


@pytest.mark.parametrize(("vm_state", "task_state"), MAKINGS)
def test_guest_that_is_made_gets_what_the_image_names(vm_state, task_state) -> None:
    assert _bitstreams(_instance(vm_state, task_state)) == {1: IMAGE}


@pytest.mark.parametrize(("vm_state", "task_state"), MAKINGS)
def test_guest_that_is_made_gets_nothing_where_images_may_not_name_any(
    policy, vm_state, task_state
) -> None:
    policy()
    assert _bitstreams(_instance(vm_state, task_state)) == {}


@pytest.mark.parametrize("vm_state", ["active", "stopped", "paused", "rescued", "error"])
@pytest.mark.parametrize("task_state", [None, "powering-off", "rebooting"])
def test_guest_that_was_made_without_stays_without(vm_state, task_state) -> None:
    assert _bitstreams(_instance(vm_state, task_state)) == {}


def test_guest_that_has_its_region_keeps_it_where_the_policy_changes(policy) -> None:
    policy()
    assert _bitstreams(_instance("active", None, REGION)) == {1: IMAGE}


def test_bitstreams_of_the_flavor_go_before_that_of_the_image() -> None:
    bitstreams = _bitstreams(_instance("building", "spawning", None, **{"hw:fpga_ip_id_2": OTHER}))
    assert bitstreams == {2: OTHER}


def test_resize_is_counted_by_the_new_flavor() -> None:
    instance = _instance("active", "resize_prep", REGION)
    flavor = objects.Flavor(extra_specs={"hw:fpga_ip_id": OTHER})
    assert request.bitstreams(calls.extra_specs(flavor, instance)) == {1: OTHER}
    plain = objects.Flavor(extra_specs={})
    assert request.bitstreams(calls.extra_specs(plain, instance)) == {1: IMAGE}
    assert request.bitstreams(calls.extra_specs(instance, instance)) == {1: IMAGE}


def test_claim_counts_what_the_image_names() -> None:
    claim = SimpleNamespace(instance=_instance("building", "scheduling"))
    none = SimpleNamespace(fpga_regions=0, fpga_regions_used=0)
    assert calls.claim_failure(claim, none) == "1 FPGA region wanted, 0 free"


def test_what_an_image_names_is_not_burnt_before_the_policy_was_bitstreams(monkeypatch) -> None:
    monkeypatch.setattr(image_bitstreams, "refusal", lambda *_arguments: "not accepted")
    monkeypatch.setattr(client, "burn", lambda *_arguments: pytest.fail("burnt"))
    with pytest.raises(exception.BuildAbortException, match="not accepted"):
        build.FpgaBuildInstanceHook().build_instance(
            CONTEXT, _instance("building", "spawning"), objects.ImageMeta()
        )


def test_delete_of_a_failed_build_erases_though_the_column_is_empty(policy, monkeypatch) -> None:
    policy()
    owners: list[str] = []
    monkeypatch.setattr(client, "erase", owners.append)
    instance = _instance("error", "deleting")
    delete.FpgaDeleteInstanceHook().delete_instance(CONTEXT, instance)
    assert owners == [OWNER]


def test_region_that_the_image_asked_for_is_no_surplus_where_the_column_was_lost(policy) -> None:
    policy()
    need = needs.need(_instance("active"), _held())
    assert need == needs.Need(surplus=(), burns={})


def test_guest_without_region_gets_none_by_mending() -> None:
    assert needs.need(_instance("active"), {}).burns == {}


def test_region_of_before_the_record_is_mended_with_what_the_ledger_has() -> None:
    instance = _instance("active", None, REGION)
    instance.system_metadata["image_hw_fpga_ip_id"] = OTHER
    assert needs.need(instance, _held(healthy=False)).burns == grants.of_image(IMAGE)
    assert needs.need(instance, {}).burns == {}


def test_lost_region_is_mended_with_what_was_granted_whatever_the_image_names(policy) -> None:
    policy()
    instance = _instance("active", None, REGION)
    _record(instance, grants.of_image(OTHER))
    assert needs.need(instance, {}).burns == grants.of_image(OTHER)


def test_policy_is_not_asked_again_for_what_was_granted(monkeypatch) -> None:
    monkeypatch.setattr(image_bitstreams, "refusal", lambda *_arguments: pytest.fail("asked"))
    instance = _instance("active", "resize_finish", REGION)
    _record(instance, grants.of_image(OTHER))
    assert entitlement.decide(CONTEXT, instance).grants == grants.of_image(OTHER)


def test_rebuild_asks_the_policy_for_what_another_image_names(monkeypatch) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "node")
    monkeypatch.setattr(image_bitstreams, "refusal", lambda *_arguments: None)
    instance = _instance("active", "rebuilding", REGION)
    _record(instance, grants.of_image(OTHER))
    assert entitlement.decide(CONTEXT, instance).grants == grants.of_image(IMAGE)


def test_unknown_policy_is_left_to_another_host(monkeypatch) -> None:
    def unknown(*_arguments: typing.Any) -> None:
        raise bitstream_images.UnansweredError("Glance is down")

    monkeypatch.setattr(image_bitstreams, "refusal", unknown)
    with pytest.raises(exception.InstanceDeployFailure, match="Glance is down"):
        entitlement.decide(CONTEXT, _instance("building", "spawning"))


def test_accepted_bitstream_stays_on_record_while_a_flavor_names_others() -> None:
    instance = _instance("active")
    _record(instance, grants.of_image(IMAGE))
    flavor = objects.Flavor(extra_specs={"hw:fpga_ip_id_2": OTHER})
    _record(instance, grants.of_flavor(flavor.extra_specs))
    assert InstanceRequest.of(instance).grants == {2: grants.Grant(OTHER, grants.Rule.FLAVOR)}
    assert InstanceRequest.of(instance).accepted_bitstream == IMAGE


def test_rebuild_with_another_image_forgets_what_was_accepted_of_the_old_one(
    program, monkeypatch
) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "node")
    program.answers(out=status(region()))
    instance = _instance("active", "rebuilding", REGION, **{"hw:fpga_ip_id": IMAGE})
    _record(instance, grants.of_image(OTHER))
    build.FpgaBuildInstanceHook().check_rebuild(CONTEXT, instance)
    assert InstanceRequest.of(instance).accepted_bitstream is None
    assert InstanceRequest.of(instance).grants == grants.of_flavor(instance.flavor.extra_specs)


def test_instance_that_lost_its_grants_has_a_right_to_nothing() -> None:
    instance = _instance("active", None, REGION)
    _record(instance, grants.of_image(IMAGE))
    _record(instance, {})
    regions = _held()
    assert needs.need(instance, regions) == needs.Need(surplus=(regions[1],), burns={})


def test_instance_that_never_had_any_gets_no_record() -> None:
    instance = an_instance({})
    _record(instance, {})
    assert instance.system_metadata == {}


def test_instance_that_has_regions_and_a_right_to_none_gets_a_record_of_that() -> None:
    instance = an_instance({}, REGION)
    _record(instance, {})
    assert InstanceRequest.of(instance).grants == {}


def test_record_has_no_value_that_nova_would_cut() -> None:
    instance = an_instance({})
    flavor = objects.Flavor(extra_specs=dict.fromkeys(request.NUMBERS, IMAGE))
    _record(instance, grants.of_flavor(flavor.extra_specs))
    assert InstanceRequest.of(instance).grants == grants.of_flavor(flavor.extra_specs)
    assert all(len(value) < 255 for value in instance.system_metadata.values())


def test_start_puts_on_record_what_a_server_of_before_holds(nova, program, monkeypatch) -> None:
    instance = _instance("active", None, REGION)
    monkeypatch.setattr(Instance, "refresh", lambda _instance: None)
    nova.here[OWNER] = instance
    instance.system_metadata["image_hw_fpga_ip_id"] = OTHER
    program.answers(out=status(region(image_id=IMAGE)))
    entitlement.adopt("node")
    assert InstanceRequest.of(instance).grants == grants.of_image(IMAGE)
    entitlement.adopt("node")
    assert len(program.calls) == 1


def test_start_leaves_ordinary_servers_alone(nova, program) -> None:
    nova.here[OWNER] = an_instance({})
    entitlement.adopt("node")
    assert program.calls == []


def test_start_goes_on_where_the_regions_cannot_be_looked_at(nova, program) -> None:
    instance = _instance("active", None, REGION)
    nova.here[OWNER] = instance
    program.answers(err="Error: no - card is gone", code=127)
    entitlement.adopt("node")
    assert InstanceRequest.of(instance).grants is None
