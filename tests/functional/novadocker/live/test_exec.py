# SPDX-License-Identifier: Apache-2.0
"""A process that somebody else started in a server is not dumped, so that it is refused."""

import os
import signal

import pytest
from nova import exception
from nova.compute import power_state

from novadocker import errors
from tests.functional.novadocker.live.conftest import LOOP
from tests.support import warm


@pytest.fixture
def source(blesser, servers):
    """A server in which somebody has a shell by `docker exec`."""
    servers.driver.live.look()
    instance = blesser.warm()
    container = servers.container(instance)
    shell = servers.client.api.exec_create(container.id, ["sleep", "9998"])
    servers.client.api.exec_start(shell, detach=True)
    instance.shell = shell
    return instance


def _goes_on(blesser, servers, instance):
    number = blesser.answer(instance)[2]
    assert servers.driver.get_info(instance).state == power_state.RUNNING
    while blesser.answer(instance)[2] == number:
        pass
    # It was not killed either.
    assert servers.client.api.exec_inspect(instance.shell)["Running"]


def test_a_blessing_is_refused_while_somebody_has_a_shell(blesser, servers, source):
    with pytest.raises(errors.NoSnapshot, match="as by 'docker exec'; end that first"):
        blesser.bless(source)
    _goes_on(blesser, servers, source)


def test_a_suspension_is_refused_while_somebody_has_a_shell(blesser, servers, source):
    with pytest.raises(exception.InstanceFaultRollback) as refused:
        servers.driver.suspend(servers.context, source)
    assert "as by 'docker exec'" in str(refused.value.inner_exception)
    _goes_on(blesser, servers, source)


def test_a_server_is_blessed_once_the_shell_has_ended(blesser, servers, source):
    word = blesser.answer(source)[0]
    os.kill(servers.client.api.exec_inspect(source.shell)["Pid"], signal.SIGKILL)
    assert blesser.answer(blesser.launch(blesser.bless(source)))[0] == word


def test_all_that_a_server_started_is_its_own(blesser, servers):
    # The shell ends, so that its child gets the first process for its parent.
    source = blesser.warm("(sleep 9999 &); " + LOOP)
    assert len(warm.processes(servers.container(source))) > 2
    blesser.bless(source)


def test_what_a_shell_left_behind_in_a_clone_is_in_the_way_of_a_dump(blesser, servers):
    # A clone has clocks of its own, which the shell has not: CRIU would not restore both.
    clone = blesser.launch(blesser.bless(blesser.warm()))
    servers.container(clone).exec_run(["sh", "-c", "sleep 9996 < /dev/null > /dev/null 2>&1 &"])
    with pytest.raises(errors.NoSnapshot, match="as by 'docker exec'; end that first"):
        blesser.bless(clone)
    servers.run(clone, "kill $(pidof sleep)")
    blesser.bless(clone)
