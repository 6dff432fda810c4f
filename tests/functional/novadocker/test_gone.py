# SPDX-License-Identifier: Apache-2.0
"""Containers that somebody removed with ``docker rm``, or is about to remove."""

import threading
import time

import pytest
from nova import exception
from nova.compute import power_state
from nova.network import model

from fpga_hooks.instance import devices
from novadocker import errors


@pytest.fixture
def lost_server(servers):
    """An instance whose container was removed behind Nova's back."""
    instance = servers.boot()
    servers.container(instance).remove(force=True)
    return instance


def _runs(servers, instance):
    return servers.driver.get_info(instance, use_cache=False).state == power_state.RUNNING


def test_a_stop_of_nothing_is_done(servers, lost_server):
    servers.driver.power_off(lost_server, timeout=5)


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_a_reboot_makes_the_container_anew(servers, lost_server, kind):
    servers.driver.reboot(servers.context, lost_server, [], kind)
    assert _runs(servers, lost_server)
    labels = servers.container(lost_server).labels
    assert labels["org.openstack.nova.instance.uuid"] == lost_server.uuid
    assert labels["org.openstack.nova.host"] == "host1"


def test_a_start_makes_the_container_anew(servers, lost_server):
    servers.driver.power_on(servers.context, lost_server, [])
    assert _runs(servers, lost_server)


def test_a_boot_of_the_host_makes_the_container_anew(servers, lost_server):
    servers.driver.resume_state_on_host_boot(servers.context, lost_server, [], [])
    assert _runs(servers, lost_server)


def test_a_port_does_not_keep_the_container_from_being_made_anew(servers, lost_server, caplog):
    ports = model.NetworkInfo([model.VIF(id="port-1", type="unbound")])
    servers.driver.reboot(servers.context, lost_server, ports, "HARD")
    assert _runs(servers, lost_server)
    assert "A port is ignored: port port-1 is not bound to this host" in caplog.text


def test_glance_is_not_asked_for_an_image_that_the_engine_has(servers, lost_server):
    del servers.images[servers.image.id]
    servers.driver.reboot(servers.context, lost_server, [], "HARD")
    assert _runs(servers, lost_server)


def test_an_image_that_the_engine_does_not_have_any_more_is_fetched(servers, lost_server, glance):
    for image in servers.client.images.list(name=f"fpga-nova/{servers.image.id}"):
        for tag in image.tags:
            servers.client.images.remove(tag)
    before = glance.downloads
    servers.driver.reboot(servers.context, lost_server, [], "HARD")
    assert _runs(servers, lost_server)
    assert glance.downloads == before + 1


def test_the_new_container_has_the_devices_of_the_region(servers, monkeypatch, lost_server):
    monkeypatch.setattr(
        devices,
        "for_instance",
        lambda instance: [devices.Device("char", "/dev/zero", "/dev/fpga0")],
    )
    servers.driver.reboot(servers.context, lost_server, [], "HARD")
    assert servers.run(lost_server, "test -c /dev/fpga0") == (0, "")


def test_a_command_that_nova_may_have_cut_is_not_run(servers, glance, archive):
    line = f"sh -c 'sleep 600; echo {'x' * 300}'"
    servers.image = glance.add(archive, properties={"os_command_line": line})
    instance = servers.boot()
    servers.container(instance).remove(force=True)
    with pytest.raises(errors.BadImage, match=r"os_command_line is longer.*rebuild the server"):
        servers.driver.reboot(servers.context, instance, [], "HARD")


@pytest.mark.parametrize("action", ["pause", "unpause"])
def test_another_action_gives_the_way_out(servers, lost_server, action):
    with pytest.raises(errors.NoContainer, match="hard reboot the server"):
        getattr(servers.driver, action)(lost_server)


def test_the_console_of_nothing_is_not_there(servers, lost_server):
    with pytest.raises(exception.ConsoleNotAvailable):
        servers.driver.get_console_output(servers.context, lost_server)


def test_only_get_info_finds_no_instance(servers, lost_server):
    with pytest.raises(exception.InstanceNotFound):
        servers.driver.get_info(lost_server)
    assert not servers.driver.instance_exists(lost_server)


def test_a_container_that_vanishes_during_a_spawn_is_a_failed_spawn(servers, monkeypatch):
    start = servers.driver.containers.start

    def vanish(uuid):
        servers.client.containers.get(f"nova-{uuid}").remove(force=True)
        start(uuid)

    monkeypatch.setattr(servers.driver.containers, "start", vanish)
    with pytest.raises(errors.NoContainer):
        servers.spawn(servers.instance())


@pytest.fixture
def being_removed(servers):
    """An instance whose container somebody removes, which takes a while."""
    instance = servers.boot()
    files = 'for (i = 0; i < 60000; i++) { f = "/tmp/f/" i; printf "" > f; close(f) }'
    fill = f"mkdir /tmp/f; busybox awk 'BEGIN {{ {files} }}'"
    assert servers.run(instance, fill) == (0, "")
    container = servers.container(instance)
    thread = threading.Thread(target=container.remove, kwargs={"force": True})
    thread.start()
    end = time.monotonic() + 30
    while servers.container(instance).status != "removing":
        assert time.monotonic() < end
    yield instance
    thread.join()


def test_a_delete_waits_for_the_removal_that_is_in_progress(servers, being_removed):
    servers.destroy(being_removed)
    assert servers.driver.list_instance_uuids() == []


def test_a_start_waits_for_the_removal_and_makes_the_container_anew(servers, being_removed):
    servers.driver.power_on(servers.context, being_removed, [])
    assert _runs(servers, being_removed)
