# SPDX-License-Identifier: Apache-2.0
"""A host with cgroup v2, where a frozen process that is killed ends at once.

On a host with cgroup v1, the engine and root's program see the unified hierarchy alone, as it is
mounted beside the others. It has no controllers there, so that containers have no limits.
"""

import os
import pathlib
import signal
import typing

import pytest
from nova.compute import power_state

from novadocker import limits
from tests.functional.novadocker import dockerd as dockerds
from tests.functional.novadocker.live import live_engine

_UNIFIED = pathlib.Path("/sys/fs/cgroup/unified")
_IS_UNIFIED = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
_IN_ITS_OWN = 'mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup && exec "$0" "$@"'


@pytest.fixture(scope="module")
def dockerd(criu, tmp_path_factory) -> typing.Iterator[dockerds.Dockerd]:
    """An engine with cgroup v2."""
    words = []
    if not _IS_UNIFIED:
        if not _UNIFIED.is_dir():
            pytest.skip("the unified hierarchy is not mounted")
        words = ["unshare", "--mount", "--propagation=private", "sh", "-c", _IN_ITS_OWN]
    yield from live_engine.started(tmp_path_factory.mktemp("live2"), before=words)


@pytest.fixture
def live(dockerd, criu, config, monkeypatch):
    """What root does there."""
    enter = "" if _IS_UNIFIED else f"nsenter --target={dockerd._process.pid} --mount"
    found, options = live_engine.prepare(dockerd, criu, enter)
    config(**options, group="docker")
    if not _IS_UNIFIED:
        monkeypatch.setattr(limits, "options", lambda *_arguments: {})
    return found


def test_the_engine_has_cgroup_v2(servers):
    assert servers.client.info()["CgroupVersion"] == "2"


def test_a_clone_has_the_memory_of_its_source(blesser):
    word = blesser.answer(source := blesser.warm())[0]
    clone = blesser.launch(blesser.bless(source))
    assert blesser.answer(clone)[:2] == (word, clone.hostname)
    assert blesser.answer(source)[:2] == (word, source.hostname)


def _group(servers, instance):
    """The control group of a server's first process, without its own id, and that which it sees."""
    container = servers.container(instance)
    process = pathlib.Path("/proc", str(container.attrs["State"]["Pid"]))
    group = (process / "cgroup").read_text().splitlines()[-1].removeprefix("0::")
    lines = (process / "mountinfo").read_text().splitlines()
    seen = [line.split()[3] for line in lines if " - cgroup2 " in line]
    return [path.replace(container.id, "OWN") for path in (group, *seen)]


def test_restored_servers_are_in_their_own_control_groups(blesser, servers):
    servers.driver.live.look()
    source = blesser.warm()
    groups = _group(servers, source)
    assert all(path.endswith("/OWN") for path in groups)
    clone = blesser.launch(blesser.bless(source))
    assert _group(servers, clone) == groups
    servers.destroy(source)  # which ends all that is in its group
    assert blesser.answer(clone)[1] == clone.hostname
    servers.driver.suspend(servers.context, clone)
    servers.driver.resume(servers.context, clone, [])
    assert _group(servers, clone) == groups


def test_a_suspended_server_goes_on(blesser, servers, live):
    servers.driver.live.look()
    word = blesser.answer(source := blesser.warm())[0]
    for _ in range(2):
        servers.driver.suspend(servers.context, source)
        assert servers.driver.get_info(source).state == power_state.SHUTDOWN
        servers.driver.resume(servers.context, source, [])
        assert blesser.answer(source)[0] == word


def test_a_container_that_ends_while_it_is_paused_need_not_go_on(blesser, servers, live):
    source = blesser.warm()
    pid = servers.container(source).attrs["State"]["Pid"]
    servers.driver.pause(source)
    os.kill(pid, signal.SIGKILL)
    # The engine may not know it yet.
    servers.driver.unpause(source)
    assert servers.driver.get_info(source).state == power_state.SHUTDOWN
