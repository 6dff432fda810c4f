# SPDX-License-Identifier: Apache-2.0
"""The engine itself is asked who has which nodes of the host; device numbers are followed."""

import os
import stat
from unittest import mock

import docker
import pytest

from fpga_hooks.instance import devices, guests
from novadocker import errors, numbers
from novadocker.engine import Engine
from novadocker.guests import Probe


@pytest.fixture
def region(tmp_path):
    """Makes a region's node with a number of the kernel's: 1:5 is zero, 1:8 random."""

    def make(name, minor):
        path = tmp_path / name
        path.unlink(missing_ok=True)
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.chmod(0o666)
        return str(path)

    return make


@pytest.fixture
def boot(servers, monkeypatch):
    """Boots a server with nodes of the host."""

    def boot(*paths):
        passed = [devices.Device("char", path, f"/dev/fpga{n}") for n, path in enumerate(paths)]
        monkeypatch.setattr(devices, "for_instance", lambda _instance: passed)
        return servers.boot()

    return boot


@pytest.fixture
def probe(servers):
    return Probe(servers.driver.engine)


def _of(probe, instance):
    (guest,) = [guest for guest in probe.guests() if guest.instance == instance.uuid]
    return guest


def test_guest_is_found_by_its_nodes_whatever_its_host_is_called(boot, probe, region, config):
    node = region("a", 5)
    instance = boot(node)
    config(host="renamed")
    assert [guest.instance for guest in guests.machine.with_nodes({node})] == [instance.uuid]
    assert guests.machine.with_nodes({region("b", 8)}) == []


@pytest.mark.parametrize("running", [True, False])
def test_container_that_an_operator_made_counts_with_its_devices_and_mounts(
    servers, probe, region, tmp_path, running
):
    device, file = region("a", 5), tmp_path / "socket"
    file.touch()
    image = servers.container(servers.boot()).image.id
    options = {"devices": [f"{device}:/dev/x"], "volumes": {str(file): {"bind": "/x"}}}
    other = servers.client.containers.create(image, "sleep 60", network_mode="none", **options)
    if running:
        other.start()
    for node in (device, str(file)):
        (guest,) = guests.machine.with_nodes({node})
        assert (guest.name, guest.instance, guest.running) == (other.name, None, running)


def test_containers_that_are_known_are_asked_for_by_one_call(servers, boot, region):
    nodes = region("a", 5), region("b", 8)
    engine = servers.driver.engine
    instances = [boot(node) for node in nodes]
    probe = Probe(engine)
    assert {guest.instance for guest in probe.guests()} == {one.uuid for one in instances}
    with mock.patch.object(docker.APIClient, "inspect_container") as inspect:
        assert [_of(probe, one).nodes for one in instances] == [{node} for node in nodes]
    assert inspect.call_count == 0
    late = boot(region("c", 3))
    assert _of(probe, late).nodes == {region("c", 3)}
    servers.destroy(instances[0])
    assert {guest.instance for guest in probe.guests()} == {instances[1].uuid, late.uuid}


def test_guest_is_found_by_a_link_to_its_node_and_by_its_number(boot, probe, region, tmp_path):
    instance = boot(region("a", 5))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "a")
    for node in (str(link), region("the-same-device", 5)):
        assert [guest.instance for guest in guests.machine.with_nodes({node})] == [instance.uuid]


def test_guests_are_unknown_while_the_engine_does_not_answer(servers, config):
    config(host_url="unix:///nonexistent", group="docker")
    guests.machine.register(Probe(Engine()))
    with pytest.raises(guests.UnknownError, match="cannot list its guests"):
        guests.machine.with_nodes({"/dev/null"})


def test_number_that_moved_to_another_node_is_seen_and_the_guest_stopped(
    servers, boot, probe, region
):
    instance = boot(region("a", 5))
    assert servers.run(instance, "head -c 1 /dev/fpga0 | od -An -tx1") == (0, " 00\n")
    assert not _of(probe, instance).misplaced
    region("a", 8)
    guest = _of(probe, instance)
    assert guest.misplaced
    guests.machine.stop(guest)
    guests.machine.stop(guest)
    stopped = _of(probe, instance)
    assert (stopped.running, stopped.misplaced) == (False, False)
    servers.driver.power_on(servers.context, instance, [])
    assert not _of(probe, instance).misplaced
    assert _of(probe, instance).numbers == {(next(iter(guest.nodes)), "1:8")}


def test_node_that_is_not_there_proves_nothing(boot, probe, region, tmp_path):
    instance = boot(region("a", 5))
    (tmp_path / "a").unlink()
    assert not _of(probe, instance).misplaced


def test_number_that_another_guest_runs_with_is_given_to_nobody(servers, boot, probe, region):
    first = boot(region("a", 5), region("b", 8))
    region("a", 8)
    with pytest.raises(errors.BadDevice, match=r"device number 1:5 of the FPGA region"):
        boot(region("b", 5))
    guests.machine.stop(_of(probe, first))
    assert _of(probe, boot(region("b", 5))).running


def test_numbers_of_a_container_that_is_gone_are_forgotten(servers, boot, region):
    instance = boot(region("a", 5))
    assert numbers.recorded() == [instance.uuid]
    servers.destroy(instance)
    assert numbers.recorded() == []


def test_ordinary_container_has_no_record_of_numbers(servers):
    servers.boot()
    assert numbers.recorded() == []
