# SPDX-License-Identifier: Apache-2.0
"""One question to the engine answers for all containers."""

import json
import time

import pytest
from nova.compute import power_state

from novadocker import errors, listing
from novadocker.engine import Engine

UUID = "11111111-2222-3333-4444-555555555555"


def container(uuid=UUID, status="running", **labels):
    """A container as the engine lists it."""
    labels = {"org.openstack.nova.instance.uuid": uuid, **labels}
    return {"Id": uuid, "State": status, "Labels": labels}


@pytest.fixture
def engine(listener):
    """What answers; counts the lists that it gave."""
    listener.containers = [container()]
    return listener


@pytest.fixture
def known(engine):
    return listing.Listing(Engine())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("created", power_state.SHUTDOWN),
        ("running", power_state.RUNNING),
        ("paused", power_state.PAUSED),
        ("exited", power_state.SHUTDOWN),
        ("dead", power_state.CRASHED),
        ("something new", power_state.NOSTATE),
    ],
)
def test_states_are_those_of_nova(engine, known, status, expected):
    engine.containers = [container(status=status)]
    assert known.now()[UUID].power_state == expected


def test_a_name_is_that_of_nova(engine, known):
    label = {"org.openstack.nova.instance.instance_name": "instance-00000007"}
    engine.containers = [container(**label)]
    assert known.now()[UUID].name == "instance-00000007"


def test_a_container_of_an_older_release_has_its_own_name(known):
    assert known.now()[UUID].name == f"nova-{UUID}"


def test_only_containers_of_this_host_are_asked_for(engine, known):
    known.now()
    assert json.loads(engine.lists[0]["filters"][0]) == {
        "label": ["org.openstack.nova.instance.uuid", "org.openstack.nova.host=host1"]
    }


def test_a_recent_answer_serves_again(engine, known):
    assert known.recent() == known.recent()
    assert len(engine.lists) == 1


def test_an_old_answer_does_not_serve(engine, known, monkeypatch):
    known.recent()
    monkeypatch.setattr(listing, "_LIFETIME", 0)
    known.recent()
    assert len(engine.lists) == 2


def test_no_answer_serves_soon_after_a_change(engine, known):
    known.recent()
    known.changed()
    assert known.recent() is None


def test_an_answer_from_before_a_change_is_settled_does_not_serve(engine, known, monkeypatch):
    monkeypatch.setattr(listing, "_LAG", 0.2)
    known.changed()
    known.now()
    time.sleep(0.2)
    engine.containers = [container(status="exited")]
    assert known.recent()[UUID].power_state == power_state.SHUTDOWN


def test_an_answer_does_not_outlive_the_engine(engine, known):
    known.now()
    engine.answers = {"GET": (500, "disk is full")}
    with pytest.raises(errors.EngineRefused, match="disk is full"):
        known.now()
