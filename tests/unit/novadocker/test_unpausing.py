# SPDX-License-Identifier: Apache-2.0
"""A container that ends while it is paused, as killed ones do with cgroup v2."""

import typing

import pytest
from nova.compute import power_state

from novadocker import containers, errors

_UUID = "0e8a4ac6-5f0c-4f9e-8a55-0d1c7a3c2b11"


class Paused(containers.Containers):
    """An engine's containers, of which one is paused, and cannot go on.

    :param states: what the engine says of it, one after another
    """

    def __init__(self, states: list[int]) -> None:
        self._states = states

    def power_state(self, uuid: str) -> int:
        """The next state; the last one stays."""
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]

    def _do(self, uuid: str, call: str, **arguments: typing.Any) -> typing.Any:
        raise errors.EngineRefused("unpause the container", "it is not paused")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "PAUSE", 0.01)
    monkeypatch.setattr(containers, "_ENDS_WITHIN", 0.2)


@pytest.mark.parametrize("end", [power_state.SHUTDOWN, power_state.RUNNING])
def test_a_container_that_is_paused_no_more_need_not_go_on(end: int) -> None:
    # The engine knows it a moment later.
    Paused([power_state.PAUSED, power_state.PAUSED, end]).unpause(_UUID)


def test_a_container_that_stays_paused_is_reported() -> None:
    with pytest.raises(errors.EngineRefused, match="it is not paused"):
        Paused([power_state.PAUSED]).unpause(_UUID)
