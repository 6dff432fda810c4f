# SPDX-License-Identifier: Apache-2.0
"""nova-compute and the Docker Engine are killed at each step of a blessing and of a launch."""

import multiprocessing
import os
import pathlib
import time

import nova.conf
import pytest
from nova.compute import power_state

from novadocker import containers, live_host, live_launch, live_store, snapshot_images, snapshots
from tests.functional.novadocker import killers

CONF = nova.conf.CONF

#: Where nova-compute dies: before the call, or after it.
BLESSING = [
    (live_host.LiveHost, "_wait_until_ready", "after"),
    (containers.Containers, "pause", "after"),
    (live_host.LiveHost, "_dump", "after"),
    (containers.Containers, "unpause", "before"),
    (live_host.LiveHost, "sign", "after"),
    (live_store, "write", "after"),
    (snapshot_images, "upload", "before"),
    (live_host.LiveHost, "discard", "before"),
]
LAUNCH = [
    (live_store, "unpack", "after"),
    (live_launch, "_write", "after"),
    (containers.Containers, "start", "after"),
    (live_host.LiveHost, "run_hook", "after"),
]


def _dies(work):
    """Run a nova-compute that dies by itself."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(900)
    assert process.exitcode == 9


def deadly(owner, name, when, die=lambda: os._exit(9)):
    """Have nova-compute die at a step."""
    plain = getattr(owner, name)

    def replacement(*arguments, **more):
        if when == "after":
            plain(*arguments, **more)
        die()

    setattr(owner, name, replacement)


def _next_start(servers):
    """What the next nova-compute does at its start."""
    driver = type(servers.driver)(None)
    driver.init_host("host1")
    driver.get_available_resource("host1")


def _check_that_nothing_is_left(servers, live):
    """Nothing of a blessing is in the engine, with root or with nova-compute."""
    assert servers.client.api.images(name=snapshots.REPOSITORY, all=True) == []
    assert list(live.spool.glob("*")) == []
    assert list(pathlib.Path(CONF.instances_path).glob("docker-image-*")) == []


@pytest.mark.parametrize(("owner", "name", "when"), BLESSING)
def test_a_killed_blessing_leaves_nothing_and_the_source_goes_on(
    blesser, servers, live, owner, name, when
):
    source = blesser.warm()

    def bless():
        deadly(owner, name, when)
        blesser.bless(source)

    _dies(bless)
    _next_start(servers)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    _check_that_nothing_is_left(servers, live)
    word = blesser.answer(source)[0]
    assert blesser.answer(blesser.launch(blesser.bless(source)))[0] == word


@pytest.mark.parametrize(("owner", "name", "when"), LAUNCH)
def test_a_killed_launch_leaves_nothing_that_restores(blesser, servers, live, owner, name, when):
    image_id = blesser.bless(blesser.warm())
    clone = blesser.instance(image_id)

    def launch():
        deadly(owner, name, when)
        blesser.servers.spawn(clone, clone.image_meta)

    _dies(launch)
    _next_start(servers)
    assert list((live.incoming / "marks").glob("*")) == []
    servers.destroy(clone)
    assert list(live.work.glob("*")) == []
    blesser.launch(image_id)


@pytest.fixture
def killer(dockerd, monkeypatch):
    """What kills the engine, which runs again after the test."""
    yield from killers.installed(dockerd, monkeypatch, questions=False)


def test_an_engine_that_is_killed_leaves_nothing_of_a_blessing(blesser, servers, live, killer):
    source = blesser.warm()
    blesser.bless(source)  # the first asks for more
    for point in killers.points(killer, lambda: blesser.bless(source)):
        killers.interrupted(killer, point, lambda: blesser.bless(source))
        servers.driver.power_on(servers.context, source, [])
        _next_start(servers)
        assert servers.driver.get_info(source).state == power_state.RUNNING, point
        assert blesser.answer(source)[1] == source.hostname, point
        _check_that_nothing_is_left(servers, live)
    word = blesser.answer(source)[0]
    assert blesser.answer(blesser.launch(blesser.bless(source)))[0] == word


def _processes(live):
    """The containers of which runc has a state, and what restores some."""
    return [path.name for path in (*live.runc_root.glob("*"), *live.work.glob("*"))]


def test_an_engine_that_is_killed_leaves_nothing_of_a_launch(blesser, servers, live, killer):
    image_id = blesser.bless(source := blesser.warm())
    servers.destroy(source)

    def launch():
        instances.append(clone := blesser.instance(image_id))
        servers.spawn(clone, clone.image_meta)

    instances = []
    launch()  # the first fetches the image
    points = killers.points(killer, launch)
    while instances:
        servers.destroy(instances.pop())
    for point in points:
        killers.interrupted(killer, point, launch)
        _next_start(servers)
        servers.destroy(instances.pop())
        end = time.monotonic() + 60
        while _processes(live) and time.monotonic() < end:
            time.sleep(0.5)
        assert _processes(live) == [], point
        assert list((live.incoming / "marks").glob("*")) == [], point
    blesser.launch(image_id)
