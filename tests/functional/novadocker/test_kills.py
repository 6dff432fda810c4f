# SPDX-License-Identifier: Apache-2.0
"""The Docker Engine is killed before and after each request of an action.

After such a kill, nothing may be left of what was not finished, and nothing lost of what was there.
"""

import pathlib
import re

import docker
import nova.conf
import pytest
import requests
from nova import exception
from nova.compute import power_state, vm_states

from novadocker import errors, snapshots

CONF = nova.conf.CONF


class Killer:
    """Kills an engine at a chosen request of the driver.

    :param send: how requests are sent
    """

    def __init__(self, engine, send):
        self.engine, self.send = engine, send
        self.requests = []
        self.point = None

    def arm(self, point=None):
        """Choose a request by its number, and whether it is lost or its answer."""
        self.requests, self.point = [], point

    def __call__(self, client, prepared, **more):
        path = re.sub(r"^/v1\.[0-9]+", "", prepared.path_url).partition("?")[0]
        if path in ("/_ping", "/version") or self.requests is None:
            return self.send(client, prepared, **more)
        number = len(self.requests)
        self.requests.append(f"{prepared.method} {path}")
        if (number, "request") == self.point:
            self.engine.kill()
        response = self.send(client, prepared, **more)
        if (number, "answer") == self.point:
            self.engine.kill()
            raise requests.exceptions.ConnectionError("the engine was killed")
        return response


@pytest.fixture
def killer(dockerd, monkeypatch):
    """What kills the engine, which runs again after the test."""
    found = Killer(dockerd, docker.APIClient.send)
    monkeypatch.setattr(docker.APIClient, "send", lambda *args, **more: found(*args, **more))
    yield found
    found.requests = None
    if dockerd._process is None:
        dockerd.start()


def _points(killer, action):
    """Where the engine can be killed, found by an action that nothing disturbs."""
    killer.arm()
    action()
    assert len(killer.requests) > 1
    return [
        (number, what)
        for number, request in enumerate(killer.requests)
        # A question whose answer is lost is as one that was lost.
        for what in (["request"] if request.startswith("GET") else ["request", "answer"])
    ]


def _interrupted(killer, point, action):
    """Do something while the engine is killed, and start it again; whether it failed."""
    killer.arm(point)
    try:
        action()
        failed = False
    except exception.NovaException:
        failed = True
    assert killer.engine._process is None, f"there was no {point}: {killer.requests}"
    killer.engine.start()
    killer.arm()
    return failed


def _instances_left(servers):
    """Containers, and folders of instances."""
    folders = pathlib.Path(CONF.instances_path).glob("*-*-*-*-*")
    return [*servers.client.containers.list(all=True), *folders]


def test_a_spawn(servers, killer, glance, archive):
    def spawn():
        servers.spawn(instance, glance.add(archive))  # an image that has to be loaded

    instance = servers.instance()
    points = _points(killer, spawn)
    servers.destroy(instance)
    for point in points:
        instance = servers.instance()
        _interrupted(killer, point, spawn)
        servers.destroy(instance)
        assert _instances_left(servers) == [], point


def test_a_destroy(servers, killer):
    first = servers.boot()
    for point in _points(killer, lambda: servers.destroy(first)):
        instance = servers.boot()
        failed = _interrupted(killer, point, lambda instance=instance: servers.destroy(instance))
        if failed:
            servers.destroy(instance)
        assert _instances_left(servers) == [], point


def test_a_snapshot(servers, killer, glance):
    def take():
        servers.driver.snapshot(servers.context, instance, glance.empty(), lambda **_states: None)

    instance = servers.boot()
    servers.run(instance, "echo kept > /file")
    points = _points(killer, take)
    for point in points:
        _interrupted(killer, point, take)
        servers.driver.power_on(servers.context, instance, [])
        assert servers.driver.get_info(instance).state == power_state.RUNNING, point
        assert servers.run(instance, "cat /file") == (0, "kept\n"), point
        servers.driver.init_host("host1")
        servers.driver.get_available_resource("host1")
        assert servers.client.api.images(name=snapshots.REPOSITORY, all=True) == [], point
        assert list(pathlib.Path(CONF.instances_path).glob("docker-image-*")) == [], point
    take()


#: The hosts that a server of host1 moves to.
_MOVES = pytest.mark.parametrize("to", ["host2", "host1"], ids=["migration", "resize"])


def _interrupted_move(killer, point, mover, action):
    """Interrupt a step of a move, and have both hosts look at it; whether it failed."""
    failed = _interrupted(killer, point, action)
    mover.audit()
    return failed


@_MOVES
def test_the_sending_of_a_move(servers, killer, mover, to):
    def send():
        sent.extend(mover.send(instance, to))

    sent = []
    instance = mover.boot()
    points = _points(killer, send)
    mover.destroy(instance)
    for point in points:
        sent.clear()
        instance = mover.boot()
        servers.run(instance, "echo kept > /file")
        if _interrupted_move(killer, point, mover, send):
            servers.driver.power_on(servers.context, instance, [])
        else:
            mover.finish(instance, *sent)
        assert servers.run(instance, "cat /file") == (0, "kept\n"), point
        assert len(mover.containers()) == 1 + bool(sent), point
        mover.destroy(instance)
        assert mover.remainder() == [], point
        assert mover.containers() == {}, point
        assert servers.client.api.images(name=snapshots.REPOSITORY, all=True) == [], point


@_MOVES
def test_the_arrival_of_a_move(servers, killer, mover, to):
    def finish():
        mover.finish(instance, migration, disk_info)

    instance = mover.boot()
    migration, disk_info = mover.send(instance, to)
    points = _points(killer, finish)
    mover.destroy(instance)
    for point in points:
        instance = mover.boot()
        servers.run(instance, "echo kept > /file")
        migration, disk_info = mover.send(instance, to)
        if _interrupted_move(killer, point, mover, finish):
            with mover.on(to) as driver:
                driver.reboot(servers.context, instance, [], "HARD")
            instance.vm_state = vm_states.ACTIVE
            mover.audit()
        else:
            mover.confirm(instance, migration)
            with mover.on(to) as driver:
                driver.power_on(servers.context, instance, [])
        assert servers.run(instance, "cat /file") == (0, "kept\n"), point
        mover.destroy(instance)
        assert mover.containers() == {}, point
        assert mover.remainder() == [], point


@_MOVES
def test_the_confirmation_of_a_move(servers, killer, mover, to):
    def confirm():
        mover.confirm(instance, migration)

    instance = mover.boot()
    migration = mover.move(instance, to)
    points = _points(killer, confirm)
    mover.destroy(instance)
    for point in points:
        instance = mover.boot()
        servers.run(instance, "echo kept > /file")
        migration = mover.move(instance, to)
        failed = _interrupted_move(killer, point, mover, confirm)
        with mover.on(to) as driver:
            driver.power_on(servers.context, instance, [])
        if failed:
            migration.status, instance.vm_state = "error", vm_states.ACTIVE
            mover.audit()
        assert servers.run(instance, "cat /file") == (0, "kept\n"), point
        assert list(mover.containers()) == [f"nova-{instance.uuid}"], point
        mover.destroy(instance)
        assert mover.remainder() == [], point


@_MOVES
def test_the_revert_of_a_move(servers, killer, mover, to):
    def revert():
        mover.revert(instance, migration)

    instance = mover.boot()
    migration = mover.move(instance, to)
    points = _points(killer, revert)
    mover.destroy(instance)
    for point in points:
        instance = mover.boot()
        servers.run(instance, "echo kept > /file")
        migration = mover.move(instance, to)
        if _interrupted_move(killer, point, mover, revert):
            instance.vm_state, instance.task_state = vm_states.ERROR, None
            migration.status = "error"
        try:
            with mover.on(instance.host) as driver:
                driver.reboot(servers.context, instance, [], "HARD")
        except errors.NotMoved:  # the answer was lost to the request that removed it
            assert mover.containers() == {f"nova-{instance.uuid}-source": "exited"}, point
        else:
            assert servers.run(instance, "cat /file") == (0, "kept\n"), point
        mover.destroy(instance)
        assert mover.containers() == {}, point
        assert mover.remainder() == [], point
