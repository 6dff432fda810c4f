# SPDX-License-Identifier: Apache-2.0
"""The Docker Engine is killed before and after each request of an action.

After such a kill, nothing may be left of what was not finished, and nothing lost of what was there.
"""

import pathlib

import nova.conf
import pytest
from nova.compute import power_state, vm_states

from novadocker import errors, snapshots
from tests.functional.novadocker import killers

CONF = nova.conf.CONF


@pytest.fixture
def killer(dockerd, monkeypatch):
    """What kills the engine, which runs again after the test."""
    yield from killers.installed(dockerd, monkeypatch)


def _instances_left(servers):
    """Containers, and folders of instances."""
    folders = pathlib.Path(CONF.instances_path).glob("*-*-*-*-*")
    return [*servers.client.containers.list(all=True), *folders]


def test_a_spawn(servers, killer, glance, archive):
    def spawn():
        servers.spawn(instance, glance.add(archive))  # an image that has to be loaded

    instance = servers.instance()
    points = killers.points(killer, spawn)
    servers.destroy(instance)
    for point in points:
        instance = servers.instance()
        killers.interrupted(killer, point, spawn)
        servers.destroy(instance)
        assert _instances_left(servers) == [], point


def test_a_destroy(servers, killer):
    first = servers.boot()
    for point in killers.points(killer, lambda: servers.destroy(first)):
        instance = servers.boot()
        failed = killers.interrupted(
            killer, point, lambda instance=instance: servers.destroy(instance)
        )
        if failed:
            servers.destroy(instance)
        assert _instances_left(servers) == [], point


def test_a_snapshot(servers, killer, glance):
    def take():
        servers.driver.snapshot(servers.context, instance, glance.empty(), lambda **_states: None)

    instance = servers.boot()
    servers.run(instance, "echo kept > /file")
    points = killers.points(killer, take)
    for point in points:
        killers.interrupted(killer, point, take)
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
    failed = killers.interrupted(killer, point, action)
    mover.audit()
    return failed


@_MOVES
def test_the_sending_of_a_move(servers, killer, mover, to):
    def send():
        sent.extend(mover.send(instance, to))

    sent = []
    instance = mover.boot()
    points = killers.points(killer, send)
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
    points = killers.points(killer, finish)
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
    points = killers.points(killer, confirm)
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
    points = killers.points(killer, revert)
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
        mover.audit()
        assert mover.remainder() == [], point
