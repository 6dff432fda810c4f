# SPDX-License-Identifier: Apache-2.0
"""What happens to instances while the Docker Engine does not answer."""

import shutil
import threading
import time

import nova.conf
import pytest
from nova import exception
from nova.compute import power_state, provider_tree
from oslo_utils import uuidutils

from novadocker import errors
from novadocker.virt import docker as novadocker_driver
from tests.functional.novadocker import dockerd as engines

CONF = nova.conf.CONF


@pytest.fixture
def engine(dockerd):
    """The engine, which is up again after the test."""
    yield dockerd
    if dockerd._process is None:
        dockerd.start()


def test_a_spawn_advises_to_start_the_engine_and_fetches_nothing(servers, engine, glance):
    engine.stop()
    with pytest.raises(
        errors.EngineUnavailable, match=r"Docker Engine at unix:.*start it"
    ) as failure:
        servers.spawn(servers.instance())
    assert "systemctl start docker" in failure.value.format_message()
    assert glance.downloads == 0


def test_destroy_is_done_where_no_container_was_ever_made(servers, engine):
    engine.stop()
    instance = servers.instance()
    with pytest.raises(errors.EngineUnavailable):
        servers.spawn(instance)
    servers.destroy(instance)


def test_destroy_fails_where_nobody_wrote_down_that_there_is_no_container(servers, engine):
    instance = servers.boot()
    shutil.rmtree(CONF.instances_path, ignore_errors=True)
    engine.stop()
    with pytest.raises(errors.EngineUnavailable, match="start it"):
        servers.destroy(instance)


def test_destroy_fails_where_a_container_may_live_on(servers, engine):
    instance = servers.boot()
    engine.stop()
    for call in (servers.driver.destroy, servers.driver.cleanup):
        with pytest.raises(errors.EngineUnavailable, match="start it"):
            call(servers.context, instance, [])
    engine.start()
    servers.destroy(instance)
    assert servers.driver.list_instance_uuids() == []


def test_destroy_fails_after_a_restart_of_nova_compute_as_well(servers, engine):
    instance = servers.boot()
    engine.stop()
    anew = novadocker_driver.DockerDriver(None)
    anew.init_host("host1")
    with pytest.raises(errors.EngineUnavailable):
        anew.destroy(servers.context, instance, [])


def test_destroy_fails_where_the_engine_died_while_it_made_the_container(
    servers, engine, monkeypatch
):
    start = servers.driver.containers.start

    def die(uuid):
        engine.stop()
        start(uuid)

    monkeypatch.setattr(servers.driver.containers, "start", die)
    instance = servers.instance()
    with pytest.raises(errors.EngineUnavailable):
        servers.spawn(instance)
    with pytest.raises(errors.EngineUnavailable):
        servers.destroy(instance)
    engine.start()
    servers.destroy(instance)
    assert servers.driver.list_instance_uuids() == []


def test_the_power_state_is_not_known(servers, engine):
    instance = servers.boot()
    engine.stop()
    assert servers.driver.get_info(instance).state == power_state.NOSTATE


def test_power_states_are_not_compared(servers, engine):
    engine.stop()
    with pytest.raises(exception.VirtDriverNotReady):
        servers.driver.get_num_instances()


def test_a_boot_of_the_host_changes_nothing_before_the_engine_answers(servers, engine, caplog):
    instance = servers.boot()
    engine.stop()
    servers.driver.resume_state_on_host_boot(servers.context, instance, [], [])
    assert "not started, because its state is unknown" in caplog.text


def test_nova_compute_starts_and_works_when_the_engine_comes(servers, engine, config):
    engine.stop()
    anew = novadocker_driver.DockerDriver(None)
    anew.init_host("host1")
    with pytest.raises(errors.EngineUnavailable, match="start it"):
        anew.get_available_resource("host1")
    engine.start()
    assert anew.get_available_resource("host1")["hypervisor_type"] == "docker"


def test_a_claim_can_give_placement_the_inventory_that_the_last_audit_found(servers, engine):
    tree = provider_tree.ProviderTree()
    tree.new_root("host1", uuidutils.generate_uuid())
    servers.driver.get_available_resource("host1")
    engine.stop()
    servers.driver.update_provider_tree(tree, "host1")
    assert tree.data("host1").inventory["VCPU"]["total"] > 0


def test_a_starting_nova_compute_waits_for_the_engine(servers, engine, config, caplog):
    engine.stop()
    config(start_timeout=30, group="docker")
    thread = threading.Timer(1, engine.start)
    thread.start()
    begin = time.monotonic()
    novadocker_driver.DockerDriver(None).init_host("host1")
    thread.join()
    assert 1 <= time.monotonic() - begin < 30


def test_stopped_containers_start_again_after_the_engine_was_restarted(servers, engine):
    instance = servers.boot()
    engine.stop()
    engine.start()
    assert servers.driver.get_info(instance).state == power_state.SHUTDOWN
    servers.driver.resume_state_on_host_boot(servers.context, instance, [], [])
    assert servers.driver.get_info(instance).state == power_state.RUNNING


def test_a_missing_dockerd_is_reported_with_what_to_install(monkeypatch):
    monkeypatch.setattr(engines, "_INSTALLED", "/nonexistent")
    monkeypatch.setattr(engines, "ENGINE", "")
    with pytest.raises(RuntimeError, match=r"apt-get install docker\.io"):
        engines.Dockerd()
