# SPDX-License-Identifier: Apache-2.0
"""What the engine's answers about one container mean."""

import time

import pytest

from novadocker import errors
from novadocker.containers import Containers
from novadocker.engine import Engine

UUID = "11111111-2222-3333-4444-555555555555"
MISSING = (404, f"No such container: nova-{UUID}")


@pytest.fixture
def containers(listener):
    return Containers(Engine())


def test_a_container_is_missing_if_the_engine_says_so(containers, listener):
    listener.answers = {"GET": MISSING, "DELETE": MISSING}
    with pytest.raises(errors.NoContainer, match=UUID):
        containers.power_state(UUID)
    assert containers.remove(UUID) is False


def test_no_other_answer_says_that_a_container_is_missing(containers, listener):
    listener.answers = {"GET": (404, "page not found"), "DELETE": (404, "page not found")}
    for ask in (containers.power_state, containers.remove):
        with pytest.raises(errors.EngineRefused, match="page not found"):
            ask(UUID)


def test_an_error_of_the_engine_says_nothing_about_the_container(containers, listener):
    listener.answers = {"GET": (500, "stat /var/lib/docker/overlay2/x: no such file")}
    with pytest.raises(errors.EngineRefused, match="did not inspect the container: stat"):
        containers.power_state(UUID)


def test_a_removal_in_progress_is_waited_for_but_not_for_ever(containers, listener, config):
    config(api_timeout=1, group="docker")
    reason = f"removal of container nova-{UUID} is already in progress"
    listener.answers = {"DELETE": (409, reason)}
    start = time.monotonic()
    with pytest.raises(errors.EngineRefused, match="not done after 1 s"):
        containers.remove(UUID)
    assert 1 <= time.monotonic() - start < 5


def test_another_conflict_is_a_refusal_at_once(containers, listener):
    listener.answers = {"DELETE": (409, "You cannot remove a paused container")}
    with pytest.raises(errors.EngineRefused, match="paused"):
        containers.remove(UUID)
