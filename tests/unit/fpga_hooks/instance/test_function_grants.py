# SPDX-License-Identifier: Apache-2.0
"""Which bitstream a host chooses for a function, and how long the choice stands."""

import typing

import pytest
from nova import context as nova_context
from nova import exception, objects

from fpga_hooks.functions import catalogue
from fpga_hooks.instance import entitlement, needs
from fpga_hooks.program import last_look
from fpga_nova import bitstream_images, grants, request
from fpga_nova.instance_request import InstanceRequest
from tests.unit.fpga_hooks.bitstreams import bitstream
from tests.unit.fpga_hooks.conftest import (
    OWNER,
    REGION,
    Instance,
    Program,
    an_instance,
    region,
    status,
)

ONE = "00000000-0000-4000-8000-000000000001"
TWO = "00000000-0000-4000-8000-000000000002"
OLD = "00000000-0000-4000-8000-000000000003"
CONTEXT = nova_context.RequestContext("user", "project", is_admin=False)
FREE = {"state": "free", "owner": None, "board": "emulator"}
SPECS = {"hw:fpga_function": "checksum"}


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch, config, known) -> None:
    """A host whose policy accepts public bitstreams; a new one for each of two parts."""
    monkeypatch.setattr(last_look, "host", lambda: "node")
    config(function_bitstreams=["public"])
    known(
        bitstream(ONE, part="hx1k", version="2.0"),
        bitstream(TWO, part="hx8k", version="1.5"),
        bitstream(OLD, part="hx8k", version="1.0"),
    )


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The images that Glance does not show to the user."""
    hidden: set[str] = set()

    def describe(context: typing.Any, image_id: str) -> bitstream_images.Bitstream | None:
        assert context is CONTEXT
        if "down" in hidden:
            raise bitstream_images.UnansweredError("Glance is down")
        return None if image_id in hidden else bitstream_images.Bitstream()

    monkeypatch.setattr(bitstream_images, "describe", describe)
    return hidden


@pytest.fixture
def host(program: Program) -> typing.Callable[..., None]:
    """Have the host have free regions of these parts, and others."""

    def host(*parts: str, others: typing.Sequence[dict[str, typing.Any]] = ()) -> None:
        free = [region(id=f"r{n}", part=part, **FREE) for n, part in enumerate(parts)]
        program.answers(out=status(*free, *others))

    return host


def decide(instance: Instance | None = None, **specs: str) -> dict[int, str]:
    """The bitstreams that an instance is granted, by number of the region."""
    instance = instance or an_instance(specs or SPECS)
    decided = entitlement.decide(CONTEXT, instance)
    decided.put_on_record(instance)
    return {number: grant.image_id for number, grant in (decided.grants or {}).items()}


def a_server(image_id: str, task_state: str = "spawning", **changes: typing.Any) -> Instance:
    """An instance that was granted an image for the function."""
    instance = an_instance(SPECS, REGION)
    instance.task_state = task_state
    instance.system_metadata = {"fpga_grant_1": f"function {image_id} checksum"}
    for name, value in changes.items():
        setattr(instance, name, value)
    return instance


def held(image_id: str, part: str = "hx8k") -> dict[str, typing.Any]:
    """The region of an instance."""
    return region(image_id=image_id, board="emulator", part=part, number=1)


def test_best_bitstream_for_a_free_region_is_chosen_and_put_on_record(host) -> None:
    host("hx8k")
    instance = an_instance(SPECS)
    assert decide(instance) == {1: TWO}
    assert instance.system_metadata == {"fpga_grant_1": f"function {TWO} checksum"}
    assert grants.read(instance.system_metadata) == {1: grants.of_function(TWO, "checksum")}


def test_newest_of_all_parts_is_chosen_where_both_are_free(host) -> None:
    host("hx8k", "hx1k")
    assert decide() == {1: ONE}


def test_each_of_two_regions_gets_a_bitstream_for_another_free_one(host) -> None:
    host("hx8k", "hx1k")
    specs = {"hw:fpga_function": "checksum", "hw:fpga_function_2": "checksum"}
    assert decide(**specs) == {1: ONE, 2: TWO}


def test_flavor_by_class_and_trait_is_served_as_well(host) -> None:
    host("hx8k")
    specs = {
        "resources:CUSTOM_FPGA_REGION": "1",
        "trait:CUSTOM_ACCELERATOR_CHECKSUM": "required",
    }
    assert decide(**specs) == {1: TWO}


def test_bitstream_beside_a_function_keeps_its_number(host) -> None:
    host("hx8k", "hx8k")
    specs = {"hw:fpga_ip_id": OLD, "hw:fpga_function_2": "checksum"}
    assert decide(**specs) == {1: OLD, 2: TWO}


def test_bitstream_that_the_user_does_not_see_is_passed_over(host, hidden) -> None:
    host("hx8k")
    hidden.add(TWO)
    assert decide() == {1: OLD}


def refused(kind: type[Exception], instance: Instance | None = None, **specs: str) -> str:
    instance = instance or an_instance(specs or SPECS)
    before = dict(instance.system_metadata)
    with pytest.raises(kind) as caught:
        decide(instance)
    assert instance.system_metadata == before
    return str(caught.value)


def test_project_that_sees_none_of_them_is_refused_everywhere(host, hidden) -> None:
    host("hx8k")
    hidden |= {ONE, TWO, OLD}
    words = refused(exception.BuildAbortException)
    assert "Glance does not show you any bitstream of the function 'checksum'" in words


@pytest.mark.parametrize("sources", [["somebody"], []])
def test_function_that_the_operator_accepts_none_of_is_refused_everywhere(
    host, config, monkeypatch, sources
) -> None:
    host("hx8k")
    config(function_bitstreams=sources)
    monkeypatch.setattr(catalogue.ours, "_whole_at", 0.0 if sources else None)
    words = refused(exception.BuildAbortException)
    assert "the operator accepts no bitstream of the function 'checksum'" in words


def test_host_without_a_card_for_it_leaves_it_to_others(host, hidden) -> None:
    host("up5k")
    words = refused(exception.ComputeResourcesUnavailable)
    assert "no bitstream of 'checksum' is for a card of this host" in words
    host("hx8k")
    hidden |= {TWO, OLD}  # but not that for the other part
    refused(exception.ComputeResourcesUnavailable)


def test_host_without_a_free_region_leaves_it_to_others(host) -> None:
    host(others=[region(owner="somebody", board="emulator", part="hx8k")])
    assert "no free region" in refused(exception.ComputeResourcesUnavailable)


def test_nothing_is_decided_where_glance_does_not_answer(host, hidden) -> None:
    host("hx8k")
    hidden.add("down")
    assert "Glance is down" in refused(exception.InstanceDeployFailure)


def test_nothing_is_decided_before_glance_has_listed_its_bitstreams(host, monkeypatch) -> None:
    host("hx8k")
    monkeypatch.setattr(catalogue, "ours", catalogue.Catalogue())
    assert "try again" in refused(exception.InstanceDeployFailure)


def test_fpga_cli_that_does_not_answer_fails_the_build(program) -> None:
    program.answers(code=71, err="Error: the ledger cannot be read")
    refused(exception.InstanceDeployFailure)


def test_choice_stands_through_new_versions_and_policies(host, config, hidden) -> None:
    host("hx8k")
    config(function_bitstreams=["somebody"])
    hidden |= {ONE, TWO, OLD}
    assert decide(a_server(OLD)) == {1: OLD}
    host("hx1k", others=[held(OLD)])
    assert decide(a_server(OLD, "rebuild_spawning")) == {1: OLD}


def test_host_with_another_board_chooses_another_bitstream(host) -> None:
    host("hx1k")
    server = a_server(OLD, "rebuild_spawning", host="dead")
    assert decide(server) == {1: ONE}
    assert server.system_metadata == {"fpga_grant_1": f"function {ONE} checksum"}


def test_host_that_can_burn_neither_that_nor_another_leaves_the_server_to_others(
    host, config
) -> None:
    host("hx1k")
    config(function_bitstreams=["somebody"])
    server = a_server(OLD, "rebuild_spawning", host="dead")
    words = refused(exception.ComputeResourcesUnavailable, server)
    assert f"this host cannot burn {OLD}, which the server has had" in words


def test_bitstream_that_was_withdrawn_is_replaced_where_it_is_not_burnt(host) -> None:
    gone = "00000000-0000-4000-8000-000000000009"
    host("hx8k")
    assert decide(a_server(gone)) == {1: TWO}
    host("hx8k", others=[held(gone)])
    assert decide(a_server(gone, "rebuild_spawning")) == {1: gone}


def test_choice_stands_where_glance_never_answered(host, monkeypatch) -> None:
    host("hx8k")
    monkeypatch.setattr(catalogue, "ours", catalogue.Catalogue())
    assert decide(a_server(OLD)) == {1: OLD}


def test_resize_to_another_function_chooses_anew(host, known) -> None:
    zipper = "00000000-0000-4000-8000-00000000000a"
    known(bitstream(TWO), bitstream(zipper, function="zip"))
    host(others=[held(TWO)])
    server = a_server(TWO, "resize_finish")
    server.flavor = objects.Flavor(extra_specs={"hw:fpga_function": "zip"})
    assert decide(server) == {1: zipper}


def test_program_of_a_running_server_stands_where_it_moves(host) -> None:
    host("hx8k")
    server = a_server(TWO, "rebuild_spawning", host="dead")
    server.system_metadata = {"fpga_grant_1": f"program {OLD}"}
    assert decide(server) == {1: OLD}


def test_server_that_came_back_is_due_what_its_region_here_has(host) -> None:
    server = a_server(ONE, vm_state="active", task_state=None)
    answer = {"total": 1, "used": 1, "quarantined": 0, "regions": [held(TWO)]}
    regions = needs.host_status.read(answer).owned_by(OWNER)
    (grant,) = InstanceRequest.of(server).due(regions).values()
    assert grant == grants.of_function(TWO, "checksum")
    assert needs.need(server, regions).burns == {}
    assert InstanceRequest.of(server).due({}) == {1: grants.of_function(ONE, "checksum")}


def test_regions_of_functions_are_counted() -> None:
    assert request.region_count(InstanceRequest.of(an_instance(SPECS)).account) == 1
    server = an_instance(SPECS)
    server.system_metadata = {"image_hw_fpga_ip_id": OLD}
    assert InstanceRequest.of(server).account == SPECS


@pytest.mark.parametrize(
    "record",
    [
        "function",
        "function x checksum",
        f"function  {ONE} checksum",
        f"other {ONE} checksum",
    ],
)
def test_record_that_cannot_be_read_grants_nothing(record: str) -> None:
    assert grants.read({"fpga_grant_1": record}) == {}
