# SPDX-License-Identifier: Apache-2.0
"""nova-compute dies between the steps of a move: what it changes in the engine, in Glance, on disk.

Each action runs in a process of its own, which ends there as `kill -9` ends it: nothing is undone.
After the next start of nova-compute, nothing may be left over, and nothing lost. A few steps are
drawn at each run; with ``FPGA_NOVA_ALL_POINTS`` it dies before each one.
"""

import functools
import os
import pickle
import random

import docker
import pytest
from nova.compute import task_states, vm_states

from novadocker import errors, snapshots
from novadocker.instance_records import Records
from novadocker.virt import docker as novadocker_driver
from tests.functional.novadocker import conftest

#: The exit status of a process that died where it should.
_DIED = 9

#: Before how many steps of an action it dies; None for each.
_FEW = None if os.environ.get("FPGA_NOVA_ALL_POINTS") else 3

#: The hosts that a server of host1 moves to.
_MOVES = pytest.mark.parametrize("to", ["host2", "host1"], ids=["migration", "resize"])


class Mortality:
    """Ends the process before a chosen step.

    :param glance: what it has is kept by the test, as the engine's images are by the engine
    :ivar number: how many steps the current action took
    :ivar point: before how many steps it ends; None for never
    """

    def __init__(self, mover, glance, file):
        self.mover, self.glance, self.file = mover, glance, file
        self.number, self.point = 0, None
        self.instance = None

    def step(self, function):
        """Have each call of a function be a step, but for requests that only ask."""

        def call(place, *arguments, **options):
            if getattr(arguments[0], "method", None) not in ("GET", "HEAD"):
                self._die_if_due()
                self.number += 1
            return function(place, *arguments, **options)

        return call

    def _die_if_due(self):
        if self.number == self.point:
            self.file.write_bytes(pickle.dumps((self.glance.images, self.instance.host)))
            os._exit(_DIED)

    def points(self, action):
        """Where nova-compute can die in an action, which runs to its end."""
        self.number, self.point = 0, None
        action()
        assert self.number > 1
        every = range(self.number + 1)
        return sorted(random.sample(every, _FEW or len(every)))

    def interrupt(self, point, instance, action):
        """Let an action begin; nova-compute of both hosts starts after its death.

        :param instance: whose host Nova may have changed meanwhile
        """
        self.instance = instance
        process = os.fork()
        if not process:
            try:
                # Two processes cannot read from one connection.
                for driver in self.mover.drivers.values():
                    driver.engine._connection = None
                self.number, self.point = 0, point
                action()
                self._die_if_due()
            finally:
                os._exit(0)
        _, status = os.waitpid(process, 0)
        assert os.waitstatus_to_exitcode(status) == _DIED, f"{point} was not reached"
        images, instance.host = pickle.loads(self.file.read_bytes())
        self.glance.images.clear()
        self.glance.images.update(images)
        for name in self.mover.drivers:
            self.mover.drivers[name] = novadocker_driver.DockerDriver(None)
            with self.mover.on(name) as driver:
                driver.init_host(name)


@pytest.fixture
def mortality(mover, glance, monkeypatch, tmp_path):
    """What ends nova-compute."""
    found = Mortality(mover, glance, tmp_path / "glance")
    for place, name in (
        (docker.APIClient, "send"),
        (conftest.Glance, "create"),
        (conftest.Glance, "delete"),
        (Records, "write"),
        (Records, "remove"),
    ):
        monkeypatch.setattr(place, name, found.step(getattr(place, name)))
    return found


@pytest.fixture
def boot(servers, mover):
    """Boots a server that wrote a file."""

    def boot():
        instance = mover.boot()
        servers.run(instance, "echo kept > /file")
        return instance

    return boot


def is_whole(servers, instance):
    return servers.run(instance, "cat /file") == (0, "kept\n")


def nothing_is_left(servers, mover, instance):
    mover.audit()
    mover.destroy(instance)
    mover.audit()
    assert mover.containers() == {}
    assert mover.remainder() == []
    assert servers.client.api.images(name=snapshots.REPOSITORY, all=True) == []


def has_files(servers, mover, instance, point):
    """Do what an operator does: reset the state, reboot hard; whether the server has its files.

    If not, it is refused to make an empty server, and the source container has them.
    """
    instance.task_state, instance.vm_state = None, vm_states.ERROR
    try:
        with mover.on(instance.host) as driver:
            driver.reboot(servers.context, instance, [], "HARD")
    except errors.NotMoved:
        assert mover.containers() == {f"nova-{instance.uuid}-source": "exited"}, point
        mover.destroy(instance)
        return False
    instance.vm_state = vm_states.ACTIVE
    assert is_whole(servers, instance), point
    return True


@_MOVES
def test_the_sending_of_a_move(servers, mover, mortality, boot, to):
    instance = boot()
    points = mortality.points(lambda: mover.send(instance, to))
    mover.destroy(instance)
    for point in points:
        instance = boot()
        migration = mover.begin(instance, to)
        mortality.interrupt(point, instance, functools.partial(mover.pass_on, instance, migration))
        with mover.on("host1") as driver:  # as the compute manager does when it starts
            driver.finish_revert_migration(servers.context, instance, [], migration)
        migration.status, instance.task_state = "error", None
        mover.audit()
        assert mover.containers() == {f"nova-{instance.uuid}": "running"}, point
        assert is_whole(servers, instance), point
        nothing_is_left(servers, mover, instance)


@_MOVES
def test_the_arrival_of_a_move(servers, mover, mortality, boot, to):
    instance = boot()
    sent = mover.send(instance, to)
    points = mortality.points(lambda: mover.finish(instance, *sent))
    mover.destroy(instance)
    for point in points:
        instance = boot()
        sent = mover.send(instance, to)
        sent[0].status = "post-migrating"
        instance.task_state = task_states.RESIZE_FINISH
        mortality.interrupt(point, instance, functools.partial(mover.finish, instance, *sent))
        mover.audit()
        assert f"nova-{instance.uuid}-source" in mover.containers(), point
        if has_files(servers, mover, instance, point):
            nothing_is_left(servers, mover, instance)


@_MOVES
def test_the_confirmation_of_a_move(servers, mover, mortality, boot, to):
    instance = boot()
    migration = mover.move(instance, to)
    points = mortality.points(lambda: mover.confirm(instance, migration))
    mover.destroy(instance)
    for point in points:
        instance = boot()
        migration = mover.move(instance, to)
        mortality.interrupt(point, instance, functools.partial(mover.confirm, instance, migration))
        instance.vm_state, migration.status = vm_states.ACTIVE, "error"
        mover.audit()
        assert is_whole(servers, instance), point
        # The first step is to note that the source container is needless.
        assert len(mover.containers()) == (1 if point else 2), point
        nothing_is_left(servers, mover, instance)


@_MOVES
def test_the_revert_of_a_move(servers, mover, mortality, boot, to):
    instance = boot()
    migration = mover.move(instance, to)
    points = mortality.points(lambda: mover.revert(instance, migration))
    mover.destroy(instance)
    for point in points:
        instance = boot()
        migration = mover.move(instance, to)
        instance.task_state = task_states.RESIZE_REVERTING
        mortality.interrupt(point, instance, functools.partial(mover.revert, instance, migration))
        migration.status = "reverting"
        mover.audit()
        if has_files(servers, mover, instance, point):
            nothing_is_left(servers, mover, instance)
