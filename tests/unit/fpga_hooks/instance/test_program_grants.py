# SPDX-License-Identifier: Apache-2.0
"""How long a program of a running server stands: through moves, not through rebuild and resize."""

import typing

import pytest
from nova import objects

from fpga_hooks.instance import entitlement
from fpga_hooks.program import last_look
from tests.unit.fpga_hooks.conftest import IMAGE, REGION, an_instance

NEW = "0b6b5df5-30b5-4b8c-9f0e-b29f7c7e0c11"
SPECS = {"hw:fpga_ip_id": IMAGE}


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_look, "host", lambda: "node")


def granted(specs: dict[str, str] = SPECS, number: int = 1, **changes: typing.Any) -> str:
    """The bitstream of the first region that a server is granted which was programmed before."""
    instance = an_instance(specs, REGION)
    instance.system_metadata = {
        "fpga_grant_1": f"flavor {IMAGE}",
        f"fpga_grant_{number}": f"program {NEW}",
    }
    for name, value in changes.items():
        setattr(instance, name, value)
    grants = entitlement.decide(typing.cast(typing.Any, None), instance).grants or {}
    assert set(grants) == {1}
    return grants[1].image_id


@pytest.mark.parametrize(
    "changes",
    [
        {"task_state": "spawning"},
        {"task_state": "rebuild_spawning", "host": "dead"},
        {"task_state": "resize_reverting"},
        {
            "task_state": "resize_finish",
            "old_flavor": objects.Flavor(extra_specs=SPECS),
            "new_flavor": objects.Flavor(extra_specs=SPECS),
        },
    ],
)
def test_program_stands_where_the_server_moves(changes: dict[str, typing.Any]) -> None:
    assert granted(**changes) == NEW


@pytest.mark.parametrize(
    "changes",
    [
        {"task_state": "rebuild_spawning"},
        {
            "task_state": "resize_finish",
            "old_flavor": objects.Flavor(extra_specs={"hw:fpga_ip_id": NEW}),
            "new_flavor": objects.Flavor(extra_specs=SPECS),
        },
    ],
)
def test_program_ends_with_a_rebuild_and_a_resize(changes: dict[str, typing.Any]) -> None:
    assert granted(**changes) == IMAGE


def test_program_of_a_region_that_the_flavor_does_not_have_ends() -> None:
    assert granted(number=2) == IMAGE
