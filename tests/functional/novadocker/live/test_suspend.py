# SPDX-License-Identifier: Apache-2.0
"""Servers are suspended and resumed, with a real Docker Engine, runc and CRIU."""

import contextlib
import errno
import os
import subprocess
import sys
import time

import pytest
from nova import exception
from nova.compute import power_state

from novadocker import containers, errors, live_launch
from novadocker.live import settings
from tests.functional.novadocker.live.test_live_kills import _dies, _next_start, deadly


def _suspend(servers, instance):
    servers.driver.suspend(servers.context, instance)


def _resume(servers, instance):
    servers.driver.resume(servers.context, instance, [])


@pytest.fixture(autouse=True)
def _audited(live, servers):
    """The host knows that it can dump and restore."""
    servers.driver.live.look()
    assert servers.driver.live.refusal is None


@pytest.fixture
def dumps(live):
    """The containers that are suspended."""
    return lambda: [path.name for path in live.state.glob(f"{settings.SUSPENDED}/*")]


def _number_at_least(blesser, instance, number):
    for _ in range(100):
        found = blesser.answer(instance)
        if found[2] >= number:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{found} is not at {number}")


def test_a_resumed_server_goes_on_where_it_was(blesser, servers, live, dumps):
    source = blesser.warm()
    servers.run(source, "echo written > /file")
    word, name, number = blesser.answer(source)
    for _ in range(2):
        container = servers.container(source).id
        _suspend(servers, source)
        assert servers.driver.get_info(source).state == power_state.SHUTDOWN
        assert dumps() == [container]
        assert list(live.spool.glob("*")) == []
        _resume(servers, source)
        assert servers.driver.get_info(source).state == power_state.RUNNING
        assert servers.container(source).id == container
        found = _number_at_least(blesser, source, number + 3)
        assert found[:2] == (word, name)
        number = found[2]
        assert servers.run(source, "cat /file") == (0, "written\n")
        assert dumps() == []
    assert list(live.work.glob("*")) == []
    assert list((live.incoming / "marks").glob("*")) == []
    log = servers.driver.get_console_output(servers.context, source).split()
    answers = [int(one) for one in log if one.isdigit()]
    # None of its answers is there twice, and none is missing: nothing ran between dump and end.
    assert answers == list(range(answers[0], answers[0] + len(answers)))


def test_a_clone_can_be_suspended(blesser, servers):
    word = blesser.answer(source := blesser.warm())[0]
    clone = blesser.launch(blesser.bless(source))
    _suspend(servers, clone)
    _resume(servers, clone)
    assert blesser.answer(clone)[:2] == (word, clone.hostname)
    assert blesser.answer(source)[:2] == (word, source.hostname)


def test_a_start_of_a_suspended_server_is_cold_and_removes_the_dump(blesser, servers, dumps):
    word = blesser.answer(source := blesser.warm())[0]
    _suspend(servers, source)
    servers.driver.reboot(servers.context, source, [], "HARD")
    servers.run(source, "rm /tmp/answer; sleep 1")
    assert blesser.answer(source)[0] != word
    assert dumps() == []


def test_nothing_stays_of_a_suspended_server_that_is_deleted(blesser, servers, dumps):
    source = blesser.warm()
    _suspend(servers, source)
    servers.destroy(source)
    assert dumps() == []


def test_the_memory_of_a_container_that_is_gone_is_removed_at_the_next_start(
    blesser, servers, dumps
):
    source, other = blesser.warm(), blesser.warm()
    _suspend(servers, source)
    _suspend(servers, other)
    container = servers.container(source)
    container.remove()
    _next_start(servers)
    assert dumps() == [servers.container(other).id]


def _refused(action, servers, instance):
    with pytest.raises(exception.InstanceFaultRollback) as refused:
        action(servers, instance)
    return str(refused.value.inner_exception)


#: A debugger of a process.
_DEBUGGER = """
import ctypes, sys, time
assert ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0  # PTRACE_SEIZE
print("traces", flush=True)
time.sleep(1000)
"""


@contextlib.contextmanager
def debugged(container):
    """Somebody traces a container's first process, which CRIU then cannot dump."""
    pid = str(container.attrs["State"]["Pid"])
    argv = [sys.executable, "-I", "-c", _DEBUGGER, pid]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as debugger:
        assert debugger.stdout.readline() == b"traces\n"
        try:
            yield
        finally:
            debugger.kill()


def test_a_server_that_cannot_be_dumped_goes_on(blesser, servers, dumps):
    source = blesser.warm()
    word, _name, number = blesser.answer(source)
    with debugged(servers.container(source)):
        reason = _refused(_suspend, servers, source)
    assert reason.startswith("The server was not suspended: a process is being traced, as by a")
    assert _number_at_least(blesser, source, number + 3)[0] == word
    assert dumps() == []


def test_a_suspension_that_takes_too_long_is_given_up_for_good(
    blesser, servers, live, dumps, config, tmp_path
):
    source = blesser.warm()
    word, _name, number = blesser.answer(source)
    slow = tmp_path / "runc"
    slow.write_text(
        f'#!/bin/sh\ncase " $* " in *" checkpoint "*) sleep 5 ;; esac\nexec {live.runc} "$@"\n'
    )
    slow.chmod(0o755)
    file = live.state.parent / "live.toml"
    file.write_text(file.read_text().replace(f'"{live.runc}"', f'"{slow}"'))
    config(live_timeout=4, group="docker")
    assert "did not end within 4 s" in _refused(_suspend, servers, source)
    # Neither is it dumped now, nor killed, nor does it stand still again.
    assert _number_at_least(blesser, source, number + 10)[0] == word
    assert list(live.spool.glob("*")) == dumps() == []


def test_the_dump_of_a_server_that_goes_on_is_removed(blesser, servers, live, dumps):
    """As after a kill of root's program before its last step."""
    source = blesser.warm()
    live.suspended(servers.container(source).id).mkdir(parents=True)
    with debugged(servers.container(source)):
        _refused(_suspend, servers, source)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    assert dumps() == []


@pytest.mark.parametrize("end", ["pause", "stop"])
def test_only_a_server_that_runs_is_suspended(blesser, servers, end):
    source = blesser.warm()
    getattr(servers.container(source), end)()
    assert "only a server that runs" in _refused(_suspend, servers, source)


def test_a_container_of_before_is_not_suspended(blesser, servers, config):
    live = servers.driver.live
    config(live_images=False, group="docker")
    live._looked = False
    live.look()
    source = blesser.warm()
    assert "live_images is off" in _refused(_suspend, servers, source)
    config(live_images=True, group="docker")
    live._looked = False
    assert "was made before its host had live images" in _refused(_suspend, servers, source)


def test_a_server_whose_host_has_no_room_for_a_mark_stays_suspended(
    blesser, servers, live, dumps, monkeypatch
):
    source = blesser.warm()
    _suspend(servers, source)

    def full(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(live_launch, "_write", full)
        assert "No space left on device" in _refused(_resume, servers, source)
    assert len(dumps()) == 1
    _resume(servers, source)


def test_a_server_whose_engine_does_not_answer_stays_suspended(
    blesser, servers, dumps, monkeypatch
):
    source = blesser.warm()
    _suspend(servers, source)

    def silent(*_arguments):
        raise errors.EngineUnavailable("unix:///engine", "timed out")

    with monkeypatch.context() as patch:
        patch.setattr(containers.Containers, "attributes", silent)
        assert "does not answer in time" in _refused(_resume, servers, source)
    assert len(dumps()) == 1
    _resume(servers, source)


def test_a_server_without_its_memory_is_not_resumed(blesser, servers, live):
    source = blesser.warm()
    _suspend(servers, source)
    (dump,) = (live.state / settings.SUSPENDED).iterdir()
    (dump / "criu" / "pstree.img").rename(dump / "elsewhere")
    assert "live image is not restored: CRIU: " in _refused(_resume, servers, source)
    assert servers.driver.get_info(source).state == power_state.SHUTDOWN
    # The memory is where it was.
    (dump / "elsewhere").rename(dump / "criu" / "pstree.img")
    _resume(servers, source)
    assert "does not have its memory" in _refused(_resume, servers, source)


@pytest.mark.parametrize(("name", "when"), [("_wait_until_ready", "after"), ("_dump", "before")])
def test_a_killed_suspension_leaves_no_server_that_stands_still(
    blesser, servers, live, dumps, name, when
):
    source = blesser.warm()

    def suspend():
        deadly(type(servers.driver.live), name, when)
        _suspend(servers, source)

    _dies(suspend)
    _next_start(servers)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    assert list(live.spool.glob("*")) == dumps() == []
