# SPDX-License-Identifier: Apache-2.0
"""From spawn to destroy, with a real Docker Engine."""

import pathlib
import socket
import time

import nova.conf
import pytest
from nova import exception
from nova.compute import power_state

from fpga_hooks.instance import devices
from novadocker import errors, limits
from tests.support.host import wait_until

CONF = nova.conf.CONF


def _state(servers, instance):
    return servers.driver.get_info(instance, use_cache=False).state


def test_spawn_runs_a_container_and_destroy_leaves_none(servers):
    instance = servers.boot()
    assert _state(servers, instance) == power_state.RUNNING
    assert servers.container(instance).status == "running"
    assert servers.driver.list_instance_uuids() == [instance.uuid]
    assert servers.driver.list_instances() == [instance.name]
    assert servers.driver.get_num_instances() == 1
    assert servers.driver.instance_exists(instance)
    servers.destroy(instance)
    assert not servers.driver.instance_exists(instance)
    assert servers.driver.list_instance_uuids() == []
    assert servers.client.containers.list(all=True) == []
    with pytest.raises(exception.InstanceNotFound):
        servers.driver.get_info(instance)


def test_destroy_of_a_running_container_does_not_wait(servers):
    instance = servers.boot()
    start = time.monotonic()
    servers.destroy(instance)
    assert time.monotonic() - start < 4


def test_destroy_and_cleanup_are_done_when_there_is_nothing(servers):
    instance = servers.boot()
    servers.destroy(instance)
    servers.destroy(instance)
    servers.driver.cleanup(servers.context, instance, [])
    servers.destroy(servers.instance())


@pytest.mark.parametrize("end", ["pause", "stop"])
def test_destroy_removes_a_container_that_does_not_run(servers, end):
    instance = servers.boot()
    getattr(servers.container(instance), end)()
    servers.destroy(instance)
    assert servers.client.containers.list(all=True) == []


def test_spawn_without_power_leaves_it_stopped(servers):
    instance = servers.instance()
    servers.spawn(instance, power_on=False)
    assert _state(servers, instance) == power_state.SHUTDOWN
    servers.driver.power_on(servers.context, instance, [])
    assert _state(servers, instance) == power_state.RUNNING


def test_power_off_lets_the_container_end_by_itself(servers):
    instance = servers.boot()
    start = time.monotonic()
    servers.driver.power_off(instance, timeout=60, retry_interval=10)
    assert time.monotonic() - start < 4
    assert _state(servers, instance) == power_state.SHUTDOWN
    assert servers.container(instance).attrs["State"]["ExitCode"] == 0


def test_power_off_and_on_keeps_what_was_written(servers):
    instance = servers.boot()
    assert servers.run(instance, "echo kept > /tmp/file")[0] == 0
    servers.driver.power_off(instance)
    servers.driver.power_off(instance)
    servers.driver.power_on(servers.context, instance, [])
    servers.driver.power_on(servers.context, instance, [])
    assert servers.run(instance, "cat /tmp/file") == (0, "kept\n")


def test_pause_and_unpause(servers):
    instance = servers.boot()
    servers.driver.pause(instance)
    servers.driver.pause(instance)
    assert _state(servers, instance) == power_state.PAUSED
    servers.driver.unpause(instance)
    servers.driver.unpause(instance)
    assert _state(servers, instance) == power_state.RUNNING


def test_a_paused_container_can_be_stopped(servers):
    instance = servers.boot()
    servers.driver.pause(instance)
    servers.driver.power_off(instance, timeout=5)
    assert _state(servers, instance) == power_state.SHUTDOWN


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
@pytest.mark.parametrize("before", ["run", "paused", "stopped"])
def test_reboot_starts_the_container_anew(servers, kind, before):
    instance = servers.boot()
    started = servers.container(instance).attrs["State"]["StartedAt"]
    if before == "paused":
        servers.driver.pause(instance)
    if before == "stopped":
        servers.driver.power_off(instance)
    servers.driver.reboot(servers.context, instance, [], kind)
    assert _state(servers, instance) == power_state.RUNNING
    assert servers.container(instance).attrs["State"]["StartedAt"] > started


def test_the_host_was_booted_starts_what_should_run(servers):
    instance = servers.boot()
    servers.driver.power_off(instance)
    servers.driver.resume_state_on_host_boot(servers.context, instance, [], [], None)
    assert _state(servers, instance) == power_state.RUNNING


def test_a_container_that_ends_by_itself_is_shut_down(servers, glance, archive):
    image = glance.add(archive, properties={"os_command_line": "sh -c 'echo done; exit 3'"})
    instance = servers.instance()
    servers.spawn(instance, image)
    wait_until(lambda: _state(servers, instance) == power_state.SHUTDOWN)
    assert servers.driver.get_console_output(servers.context, instance) == "done\n"


def test_the_console_shows_what_the_container_wrote(servers):
    instance = servers.boot()
    expected = f"Ready: {instance.hostname}\n"
    wait_until(lambda: servers.driver.get_console_output(servers.context, instance) == expected)


def test_the_console_is_text_of_which_nova_makes_the_bytes_again(servers, glance, archive):
    image = glance.add(archive, properties={"os_command_line": "echo Grüße €"})
    instance = servers.instance()
    servers.spawn(instance, image)
    wait_until(lambda: _state(servers, instance) == power_state.SHUTDOWN)
    console = servers.driver.get_console_output(servers.context, instance)
    assert console.encode("latin-1").decode() == "Grüße €\n"


def test_a_chatty_container_has_a_bounded_console(servers, glance, archive):
    line = "sh -c 'yes 0123456789012345678901234567890123456789 | head -c 4000000; echo end'"
    image = glance.add(archive, properties={"os_command_line": line})
    instance = servers.instance()
    servers.spawn(instance, image)
    wait_until(lambda: _state(servers, instance) == power_state.SHUTDOWN)
    console = servers.driver.get_console_output(servers.context, instance)
    assert console.endswith("end\n")
    assert len(console) <= 100 << 10
    path = servers.container(instance).attrs["HostConfig"]["LogConfig"]["Config"]
    assert path == {"max-size": "1m", "max-file": "2"}


def test_containers_of_others_are_not_seen(servers, config):
    instance = servers.boot()
    image = servers.container(instance).image.id
    servers.client.containers.create(image, name="nova-of-somebody-else")
    config(host="host2")
    assert servers.driver.list_instance_uuids() == []
    config(host="host1")
    assert servers.driver.list_instance_uuids() == [instance.uuid]


def test_a_container_left_by_a_crash_is_replaced(servers):
    instance = servers.boot()
    before = servers.container(instance).id
    servers.spawn(instance)
    assert servers.container(instance).id != before
    assert len(servers.client.containers.list(all=True)) == 1


def test_a_container_that_does_not_start_is_removed(servers, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX) as region:
        region.bind(str(tmp_path / "region"))
        node = devices.Device("socket", str(tmp_path / "region"), "/dev/null/fpga0")
        monkeypatch.setattr(devices, "for_instance", lambda instance: [node])
        instance = servers.instance()
        with pytest.raises(errors.EngineRefused, match=r"did not start the container.*/dev/null"):
            servers.spawn(instance)
    assert servers.client.containers.list(all=True) == []
    servers.destroy(instance)


def test_a_container_that_is_not_made_leaves_nothing(servers, monkeypatch, config):
    monkeypatch.setattr(limits, "_LEAST_MEMORY", 0)
    instance = servers.instance()
    instance.flavor.memory_mb = 1
    with pytest.raises(errors.EngineRefused, match=r"did not make the container.*memory"):
        servers.spawn(instance)
    assert not pathlib.Path(CONF.instances_path, instance.uuid).exists()


def test_the_least_memory_is_what_the_engine_takes(servers):
    instance = servers.instance()
    instance.flavor.memory_mb = 6
    servers.spawn(instance)
    assert servers.container(instance).attrs["HostConfig"]["Memory"] == 6 << 20


def test_a_host_name_that_linux_does_not_take_is_cut(servers):
    instance = servers.instance()
    instance.hostname = f"worker-1.{'x' * 60}.example.org"
    servers.spawn(instance)
    assert servers.run(instance, "hostname") == (0, "worker-1\n")


def test_a_host_name_that_linux_just_takes_is_kept(servers):
    instance = servers.instance()
    instance.hostname = f"worker-1.{'x' * 47}.example"
    assert len(instance.hostname) == 64
    servers.spawn(instance)
    assert servers.run(instance, "hostname") == (0, f"{instance.hostname}\n")


def test_a_command_that_is_not_in_the_image_is_reported_on_the_console(servers, glance, archive):
    image = glance.add(archive, properties={"os_command_line": "/no/such/program"})
    instance = servers.instance()
    servers.spawn(instance, image)
    wait_until(lambda: _state(servers, instance) == power_state.SHUTDOWN)
    console = servers.driver.get_console_output(servers.context, instance)
    assert "/no/such/program" in console
