# SPDX-License-Identifier: Apache-2.0
"""One damaged container on a host with others: the engine answers 500 for it."""

import pathlib

import docker.errors
import pytest
from nova import exception
from nova.compute import power_state

from novadocker import errors
from novadocker.virt import docker as novadocker_driver


@pytest.fixture
def damaged(servers):
    """An instance whose container lost its file system on the host."""
    instance = servers.boot()
    servers.driver.power_off(instance)
    upper = servers.container(instance).attrs["GraphDriver"]["Data"]
    if not upper:
        pytest.skip("the containerd image store describes a container without its file system")
    layer = pathlib.Path(upper["UpperDir"]).parent
    lost = layer.rename(layer.with_name(f"{layer.name}-lost"))
    with pytest.raises(docker.errors.APIError) as answer:
        servers.container(instance)
    assert answer.value.status_code == 500
    yield instance
    lost.rename(layer)


def test_its_power_state_is_unknown_and_that_of_others_is_known(servers, damaged, caplog):
    other = servers.boot()
    assert servers.driver.get_info(damaged, use_cache=False).state == power_state.NOSTATE
    assert "Power state unknown: Docker Engine did not inspect the container" in caplog.text
    assert servers.driver.get_info(other).state == power_state.RUNNING


def test_it_is_listed_with_the_others(servers, damaged):
    other = servers.boot()
    assert set(servers.driver.list_instance_uuids()) == {damaged.uuid, other.uuid}


def test_it_is_not_taken_for_missing(servers, damaged):
    with pytest.raises(errors.EngineRefused):
        servers.driver.instance_exists(damaged)
    with pytest.raises(errors.EngineRefused):
        servers.driver.power_off(damaged)


def test_a_boot_of_the_host_leaves_it_as_it_is(servers, damaged):
    anew = novadocker_driver.DockerDriver(None)
    anew.init_host("host1")
    anew.resume_state_on_host_boot(servers.context, damaged, [], [])
    assert set(servers.driver.list_instance_uuids()) == {damaged.uuid}


def test_its_console_can_be_asked_for_again_later(servers, damaged, monkeypatch):
    def fail(uuid):
        raise errors.EngineRefused("logs", "open: input/output error")

    monkeypatch.setattr(servers.driver.containers, "console", fail)
    with pytest.raises(exception.InstanceNotReady):
        servers.driver.get_console_output(servers.context, damaged)


def test_the_audit_goes_on(servers, damaged):
    assert servers.driver.get_available_resource("host1")["vcpus"] > 0
