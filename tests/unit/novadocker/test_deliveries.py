# SPDX-License-Identifier: Apache-2.0
"""In which order, and when, events come to Nova."""

import threading
import time

import pytest
from nova.virt import event as virt_event

from novadocker.deliveries import Deliveries

STARTED = virt_event.EVENT_LIFECYCLE_STARTED
STOPPED = virt_event.EVENT_LIFECYCLE_STOPPED


class Nova:
    """What gets the events."""

    def __init__(self):
        self.got = []
        self.free = threading.Event()
        self.free.set()
        self.deliveries = Deliveries(self.emit)
        self.thread = threading.Thread(target=self.deliveries.run)
        self.thread.start()

    def emit(self, event):
        self.got.append((event.get_instance_uuid(), event.get_transition()))
        self.free.wait(10)

    def waits_for(self, count):
        end = time.monotonic() + 5
        while len(self.got) < count:
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def nova():
    stand_in = Nova()
    yield stand_in
    stand_in.free.set()
    stand_in.deliveries.stop()
    stand_in.thread.join(5)
    assert not stand_in.thread.is_alive()


def test_an_event_is_delivered(nova):
    nova.deliveries.put("a", STOPPED)
    nova.waits_for(1)
    assert nova.got == [("a", STOPPED)]


def test_an_event_that_is_due_passes_one_that_is_not(nova):
    nova.deliveries.put("a", STOPPED, delay=0.2)
    nova.deliveries.put("b", STOPPED)
    nova.waits_for(2)
    assert nova.got == [("b", STOPPED), ("a", STOPPED)]


def test_a_newer_event_takes_the_place_of_one_that_is_delayed(nova):
    nova.deliveries.put("a", STOPPED, delay=0.2)
    nova.deliveries.put("a", STARTED)
    nova.waits_for(1)
    time.sleep(0.3)
    assert nova.got == [("a", STARTED)]


def test_the_same_event_does_not_put_off_one_that_waits(nova):
    nova.free.clear()
    nova.deliveries.put("a", STARTED)
    nova.waits_for(1)
    nova.deliveries.put("b", STOPPED)
    nova.deliveries.put("b", STOPPED, delay=60)
    nova.free.set()
    nova.waits_for(2)
    assert nova.got == [("a", STARTED), ("b", STOPPED)]


def test_only_the_newest_event_waits_while_nova_is_slow(nova):
    nova.free.clear()
    nova.deliveries.put("a", STARTED)
    nova.waits_for(1)
    nova.deliveries.put("b", STARTED)
    nova.deliveries.put("b", STOPPED)
    nova.free.set()
    nova.waits_for(2)
    assert nova.got == [("a", STARTED), ("b", STOPPED)]


def test_what_waits_at_the_end_is_dropped(nova):
    nova.deliveries.put("a", STOPPED, delay=0.1)
    nova.deliveries.stop()
    nova.thread.join(5)
    assert nova.got == []
