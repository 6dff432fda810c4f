# SPDX-License-Identifier: Apache-2.0
"""Nova's words for states, as the check uses them without Nova."""

import pytest
from nova.compute import vm_states
from nova.objects import fields

from fpga_nova import server_states


def test_states_of_a_living_server_are_novas() -> None:
    assert {
        vm_states.ACTIVE,
        vm_states.STOPPED,
        vm_states.PAUSED,
        vm_states.SUSPENDED,
        vm_states.RESCUED,
        vm_states.SOFT_DELETED,
    } == server_states.LIVING


@pytest.mark.parametrize("state", sorted(server_states.LIVING))
def test_each_state_is_one_that_nova_writes(state: str) -> None:
    assert state in fields.InstanceState.ALL
