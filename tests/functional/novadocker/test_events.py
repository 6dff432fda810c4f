# SPDX-License-Identifier: Apache-2.0
"""What the driver tells Nova of containers that change by themselves or by somebody's hand."""

import pathlib
import subprocess
import sys
import time

import pytest
from nova.compute import power_state
from nova.virt import event as virt_event

from novadocker import events
from tests.support.host import wait_until

STARTED = virt_event.EVENT_LIFECYCLE_STARTED
STOPPED = virt_event.EVENT_LIFECYCLE_STOPPED
PAUSED = virt_event.EVENT_LIFECYCLE_PAUSED
RESUMED = virt_event.EVENT_LIFECYCLE_RESUMED

#: Runs until somebody touches /end.
LINE = "sh -c 'until test -e /end; do usleep 20000; done'"


class Nova:
    """The listener: each event with its time."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append((time.monotonic(), event.get_instance_uuid(), event.get_transition()))

    def of(self, instance):
        return [transition for _, uuid, transition in self.events if uuid == instance.uuid]

    def time_of(self, instance, transition):
        """When the last event of this kind came; waits for one."""
        wait_until(lambda: transition in self.of(instance))
        times = [at for at, *what in self.events if what == [instance.uuid, transition]]
        return times[-1]


@pytest.fixture
def nova(servers, glance, archive, monkeypatch):
    """Listens from an audit on."""
    monkeypatch.setattr(events, "SETTLING", 0)
    servers.image = glance.add(archive, properties={"os_command_line": LINE})
    listener = Nova()
    servers.driver.register_event_listener(listener)
    servers.driver.get_available_resource("host1")
    yield listener
    servers.driver.register_event_listener(None)


@pytest.fixture
def server(servers, nova):
    """One that runs, and whose start was told."""
    instance = servers.boot()
    nova.time_of(instance, STARTED)
    nova.events.clear()
    return instance


def test_a_container_that_ends_is_told_at_once(servers, nova, server):
    begin = time.monotonic()
    servers.run(server, "touch /end")
    assert nova.time_of(server, STOPPED) - begin < 1
    assert servers.driver.get_info(server).state == power_state.SHUTDOWN


def test_a_container_that_lacks_memory_is_told(servers, nova, glance, archive):
    line = "sh -c 'until test -e /end; do usleep 20000; done; exec tail /dev/zero'"
    servers.image = glance.add(archive, properties={"os_command_line": line})
    instance = servers.boot()
    servers.run(instance, "touch /end")
    nova.time_of(instance, STOPPED)
    assert servers.container(instance).attrs["State"]["ExitCode"] == 137


@pytest.mark.parametrize("by_hand", ["kill", "stop"])
def test_an_end_by_hand_is_told(servers, nova, server, by_hand, monkeypatch):
    monkeypatch.setattr(events, "GRACE", 1)
    getattr(servers.container(server), by_hand)()
    nova.time_of(server, STOPPED)


def test_a_restart_by_hand_is_no_end(servers, nova, server):
    servers.container(server).restart(timeout=0)
    nova.time_of(server, STARTED)
    assert STOPPED not in nova.of(server)


def test_a_pause_by_hand_and_its_end_are_told(servers, nova, server):
    servers.container(server).pause()
    nova.time_of(server, PAUSED)
    servers.container(server).unpause()
    nova.time_of(server, RESUMED)


def test_a_start_by_hand_is_told(servers, nova, server, monkeypatch):
    monkeypatch.setattr(events, "GRACE", 0)
    servers.driver.power_off(server)
    nova.time_of(server, STOPPED)
    servers.container(server).start()
    nova.time_of(server, STARTED)


def test_containers_of_others_are_not_told(servers, nova, server, config):
    options = {"image": servers.container(server).image.id, "command": ["true"]}
    servers.client.containers.run(**options, labels={"org.openstack.nova.instance.uuid": "x"})
    servers.client.containers.run(**options, labels={"org.openstack.nova.host": "host1"})
    servers.run(server, "touch /end")
    nova.time_of(server, STOPPED)
    assert {uuid for _, uuid, _ in nova.events} == {server.uuid}


@pytest.mark.parametrize("kill", [True, False])
def test_an_end_of_the_engine_ends_its_containers(servers, nova, server, dockerd, kill):
    other = servers.boot()
    servers.container(other).stop(timeout=0)
    if kill:
        dockerd.kill()
    else:
        dockerd.stop()
    nova.events.clear()
    dockerd.start()
    begin = time.monotonic()
    assert nova.time_of(server, STOPPED) - begin < 2
    assert servers.driver.get_info(server).state == power_state.SHUTDOWN
    nova.time_of(other, STOPPED)
    nova.events.clear()
    servers.driver.power_on(servers.context, server, [])
    nova.time_of(server, STARTED)


@pytest.fixture
def restoring(dockerd, monkeypatch):
    """The engine with live-restore, for the time of a test."""
    dockerd.stop()
    with monkeypatch.context() as patch:
        patch.setattr(dockerd, "_arguments", ("--live-restore",))
        dockerd.start()
        yield dockerd
    dockerd.remove_containers()
    dockerd.stop()
    dockerd.start()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_container_outlives_an_engine_with_live_restore(restoring, servers, nova, server, end):
    getattr(restoring, end)()
    assert servers.driver.get_info(server).state == power_state.NOSTATE
    nova.events.clear()
    restoring.start()
    nova.time_of(server, STARTED)
    assert nova.of(server) == [STARTED]
    assert servers.driver.get_info(server).state == power_state.RUNNING
    begin = time.monotonic()
    servers.run(server, "touch /end")
    assert nova.time_of(server, STOPPED) - begin < 1


def test_a_container_that_ended_without_its_engine_is_told_once_that_is_back(
    restoring, servers, nova, server
):
    process = pathlib.Path("/proc", str(servers.container(server).attrs["State"]["Pid"]))
    restoring.kill()
    (process / "root/end").touch()
    wait_until(lambda: not process.exists())
    nova.events.clear()
    restoring.start()
    begin = time.monotonic()
    assert nova.time_of(server, STOPPED) - begin < 2
    assert servers.driver.get_info(server).state == power_state.SHUTDOWN


def test_an_engine_that_comes_late_is_followed(servers, nova, dockerd):
    servers.driver.register_event_listener(None)
    dockerd.stop()
    servers.driver.register_event_listener(nova)
    servers.driver.watch()
    dockerd.start()
    nova.time_of(servers.boot(), STARTED)


def test_a_container_that_ended_before_is_told_at_the_first_audit(servers, nova, server):
    servers.driver.register_event_listener(None)
    servers.run(server, "touch /end")
    wait_until(lambda: servers.container(server).status == "exited")
    servers.driver.register_event_listener(nova)
    time.sleep(0.3)
    assert nova.events == []
    servers.driver.get_available_resource("host1")
    nova.time_of(server, STOPPED)


def test_nothing_is_told_once_nova_does_not_listen(servers, nova, server):
    watch = servers.driver._watch
    servers.driver.register_event_listener(None)
    servers.run(server, "touch /end")
    wait_until(lambda: servers.container(server).status == "exited")
    time.sleep(0.3)
    assert nova.events == []
    wait_until(lambda: not [one for one in watch.threads if one.is_alive()])


_ON_EVENTLET = """
import eventlet
eventlet.monkey_patch()
import sys, time
import nova.conf
from nova.virt import event
from novadocker import events, options
from novadocker.engine import Engine
from novadocker.events import Watch
from novadocker.listing import Listing
nova.conf.CONF([], project="nova", default_config_files=[], default_config_dirs=[])
options.register_opts(nova.conf.CONF)
nova.conf.CONF.set_override("host", "host1")
nova.conf.CONF.set_override("host_url", sys.argv[1], group="docker")
engine = Engine()
events.SETTLING = 0
Watch(engine, Listing(engine), lambda told: print(told.get_name(), flush=True)).start()
while True:  # another green thread works beside it
    time.sleep(0.01)
"""


def test_green_threads_of_eventlet_do_as_well(servers, server, dockerd):
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_EVENTLET, dockerd.url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "Started\n"
        servers.run(server, "touch /end")
        assert process.stdout.readline() == "Stopped\n"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
