# SPDX-License-Identifier: Apache-2.0
"""From exit statuses to exceptions of Nova, as each call site reads them."""

import pytest
from nova import exception

from fpga_hooks.instance import call_sites
from fpga_hooks.program import errors, last_look
from tests.unit.fpga_hooks.conftest import an_instance

ELSEWHERE = [
    (66, exception.BuildAbortException),
    (67, exception.BuildAbortException),
    (31, exception.InstanceDeployFailure),
    (68, exception.InstanceDeployFailure),
    (70, exception.InstanceDeployFailure),
    (73, exception.InstanceDeployFailure),
    (127, exception.InstanceDeployFailure),
    (None, exception.InstanceDeployFailure),
]
BUILD = [
    *ELSEWHERE,
    (64, exception.ComputeResourcesUnavailable),
    (65, exception.ComputeResourcesUnavailable),
]
REBUILD = [*ELSEWHERE, (64, exception.InstanceDeployFailure), (65, exception.InstanceDeployFailure)]
TASKS = ["rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"]


def _failure(code: int | None, task_state: str | None) -> exception.NovaException:
    instance = an_instance({})
    instance.task_state = task_state
    failure = call_sites.failure(errors.CliError(code, "the reason"), instance)
    assert "the reason" in failure.format_message()
    return failure


@pytest.mark.parametrize("task_state", ["spawning", "resize_finish", "resize_reverting", None])
@pytest.mark.parametrize(("code", "expected"), BUILD)
def test_what_no_other_host_cures_aborts_the_build(code, expected, task_state) -> None:
    assert type(_failure(code, task_state)) is expected


@pytest.mark.parametrize("task_state", TASKS)
@pytest.mark.parametrize(("code", "expected"), REBUILD)
def test_rebuild_without_guest_is_never_read_as_untouched(
    monkeypatch, code, expected, task_state
) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "node")
    assert type(_failure(code, task_state)) is expected


@pytest.mark.parametrize("task_state", TASKS)
@pytest.mark.parametrize(("code", "expected"), BUILD)
def test_evacuation_leaves_the_server_on_its_old_host(
    monkeypatch, code, expected, task_state
) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "target")
    assert type(_failure(code, task_state)) is expected
