# SPDX-License-Identifier: Apache-2.0
"""What Nova gets of the engine's events, and what becomes of the connection."""

import json
import logging

import pytest
from nova.virt import event as virt_event

from novadocker import events, listing
from novadocker.engine import Engine
from tests.support.host import wait_until

STARTED = virt_event.EVENT_LIFECYCLE_STARTED
STOPPED = virt_event.EVENT_LIFECYCLE_STOPPED


class Nova:
    """What gets the events, and the engine that sends them."""

    def __init__(self, listener):
        self.listener = listener
        self.got = []
        self.listing = listing.Listing(Engine())
        self.watch = events.Watch(Engine(), self.listing, self.emit)

    def emit(self, event):
        self.got.append((event.get_instance_uuid(), event.get_transition()))

    def happens(self, action, uuid="a", **attributes):
        """Have the engine send an event."""
        attributes["org.openstack.nova.instance.uuid"] = uuid
        self.listener.events.put({"Action": action, "Actor": {"Attributes": attributes}})

    def waits_for(self, *expected):
        wait_until(lambda: len(self.got) >= len(expected))
        assert self.got == list(expected)


@pytest.fixture
def nova(listener, monkeypatch):
    monkeypatch.setattr(events, "SETTLING", 0)
    monkeypatch.setattr(events, "PAUSE", 0.05)
    monkeypatch.setattr(events, "GRACE", 0.2)
    listener.containers = []
    stand_in = Nova(listener)
    stand_in.watch.start()
    yield stand_in
    stand_in.watch.stop()
    listener.events.put(None)
    for thread in stand_in.watch.threads:
        thread.join(5)
        assert not thread.is_alive()


def container(uuid, status):
    """A container as the engine lists it."""
    return {"State": status, "Labels": {"org.openstack.nova.instance.uuid": uuid}}


def test_only_containers_of_this_host_are_followed(nova, listener):
    wait_until(lambda: bool(listener.streams))
    filters = json.loads(listener.streams[0]["filters"][0])
    assert filters["label"] == [
        "org.openstack.nova.instance.uuid",
        "org.openstack.nova.host=host1",
    ]
    assert filters["type"] == ["container"]


def test_an_end_that_nobody_asked_for_is_told_at_once(nova, monkeypatch):
    monkeypatch.setattr(events, "GRACE", 60)
    nova.happens("die", exitCode="1")
    nova.waits_for(("a", STOPPED))


def test_an_end_that_the_engine_was_asked_for_is_told_a_little_later(nova):
    nova.happens("kill")
    nova.happens("die")
    nova.happens("die", uuid="b")
    nova.waits_for(("b", STOPPED), ("a", STOPPED))


def test_a_restart_is_no_end(nova):
    for action in ("kill", "die", "start"):
        nova.happens(action)
    nova.waits_for(("a", STARTED))


def test_after_an_event_the_list_is_not_trusted(nova, monkeypatch):
    monkeypatch.setattr(listing, "_LAG", 60)
    nova.happens("die")
    nova.waits_for(("a", STOPPED))
    assert nova.listing.recent() is None


def test_all_containers_are_compared_at_first_and_after_an_end_of_the_stream(nova, listener):
    nova.happens("start", uuid="c")
    nova.waits_for(("c", STARTED))
    nova.got.clear()
    listener.containers = [container("a", "running"), container("b", "exited")]
    listener.events.put(None)
    nova.waits_for(("b", STOPPED), ("a", STARTED))
    assert len(listener.lists) == 2


def test_what_happens_between_two_streams_is_asked_for(nova, listener):
    wait_until(lambda: bool(listener.streams))
    assert int(listener.streams[0]["since"][0]) > 0


def test_an_event_that_is_not_understood_ends_nothing(nova, listener, caplog):
    listener.events.put({"Action": "die", "Actor": {}})
    wait_until(lambda: len(listener.streams) == 2)
    assert "Events of containers are not seen" in caplog.text
    for _ in range(2):  # the first stream still takes what comes
        listener.events.put(None)
    wait_until(lambda: len(listener.streams) == 3)
    nova.happens("die")
    nova.waits_for(("a", STOPPED))


def test_a_lack_of_memory_is_logged_once_for_each_start(nova, caplog):
    caplog.set_level(logging.INFO)
    for action in ("oom", "oom", "start", "oom"):
        nova.happens(action)
    nova.happens("die")
    wait_until(lambda: ("a", STOPPED) in nova.got)
    assert caplog.text.count("lacks memory") == 2


def test_health_is_logged(nova, caplog):
    caplog.set_level(logging.INFO)
    nova.happens("health_status: unhealthy")
    wait_until(lambda: "The container of instance a: health_status: unhealthy" in caplog.text)
