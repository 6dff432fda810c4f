# SPDX-License-Identifier: Apache-2.0
"""What becomes of a program whose nova-compute died: what the region holds decides."""

import typing

import pytest

from fpga_hooks.service import notices, programs
from fpga_nova import host_status
from fpga_nova import programs as records
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, an_instance, region

NEW = "0b6b5df5-30b5-4b8c-9f0e-b29f7c7e0c11"


@pytest.fixture(autouse=True)
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The faults with which actions ended."""
    ends: list[str | None] = []
    monkeypatch.setattr(notices, "end_action", lambda context, server, fault: ends.append(fault))
    return ends


def instance() -> typing.Any:
    """A server that is being programmed."""
    server = an_instance({"hw:fpga_ip_id": IMAGE}, REGION)
    server.task_state, server.vm_state = records.TASK, "active"
    program = records.Program(OWNER, 1, REGION, NEW, IMAGE)
    server.system_metadata = {"fpga_grant_1": f"flavor {IMAGE}", **program.metadata()}
    return server


def settled(server: typing.Any, **changes: typing.Any) -> bool:
    """Settle it where its region is so."""
    entry = host_status._read_region(region(**changes))
    return programs.settle(server, {1: entry})


@pytest.mark.parametrize("healthy", [True, None])
def test_program_is_done_where_the_region_holds_it(healthy: bool | None) -> None:
    server = instance()
    assert settled(server, image_id=NEW, healthy=healthy)
    program = records.read(server.system_metadata)
    assert program is not None
    assert (program.state, program.reboot_required, program.fault) == ("done", True, None)
    assert server.task_state is None
    assert server.system_metadata["fpga_grant_1"] == f"program {NEW}"


@pytest.mark.parametrize(
    "changes",
    [
        {"image_id": IMAGE, "healthy": True},
        {"image_id": NEW, "healthy": False},
        {"image_id": NEW, "state": "quarantined", "quarantine": "erase"},
    ],
)
def test_program_has_failed_where_it_does_not(changes: dict[str, typing.Any], ends: list) -> None:
    server = instance()
    assert settled(server, **changes)
    program = records.read(server.system_metadata)
    assert program is not None
    assert (program.state, server.task_state) == ("failed", None)
    assert server.system_metadata["fpga_grant_1"] == f"flavor {IMAGE}"
    assert ends == [program.fault]


@pytest.mark.parametrize("state", ["write", "reset"])
def test_fpga_cli_that_goes_on_is_waited_for(state: str) -> None:
    server = instance()
    assert not settled(server, image_id=NEW, state=state)
    assert server.task_state == records.TASK


def test_region_that_is_gone_is_a_failure() -> None:
    server = instance()
    assert programs.settle(server, {})
    assert server.task_state is None


def test_task_without_a_record_ends() -> None:
    server = instance()
    server.system_metadata = {}
    assert programs.settle(server, {})
    assert server.task_state is None
