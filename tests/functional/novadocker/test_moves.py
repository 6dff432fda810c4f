# SPDX-License-Identifier: Apache-2.0
"""Containers that move to another host, or to another size on their own."""

import json
from unittest import mock

import docker
import pytest
from nova import exception
from nova.compute import power_state, task_states, vm_states

from fpga_hooks.instance import devices
from novadocker import carriers, errors, images, moves, request


@pytest.fixture(params=["host2", "host1"], ids=["migration", "resize on one host"])
def to(request):
    """The new host of a server of host1."""
    return request.param


@pytest.fixture
def server(servers, mover):
    """A server of host1 that wrote a file."""
    instance = mover.boot()
    servers.run(instance, "echo kept > /file")
    return instance


def container_of(instance):
    return f"nova-{instance.uuid}"


def test_a_moved_server_has_what_was_written_and_is_its_new_hosts(servers, mover, server, to):
    command = servers.container(server).attrs["Config"]["Cmd"]
    mover.move(server, to)
    found = servers.container(server)
    assert servers.run(server, "cat /file") == (0, "kept\n")
    assert found.labels[request.LABEL_HOST] == to
    assert found.attrs["Config"]["Cmd"] == command
    with mover.on(to) as driver:
        assert driver.get_info(server).state == power_state.RUNNING
        assert driver.list_instances() == [server.name]


def test_the_container_of_before_waits_for_the_confirmation(mover, server, to):
    migration = mover.move(server, to)
    name = container_of(server)
    assert mover.containers() == {name: "running", f"{name}-source": "exited"}
    mover.confirm(server, migration)
    assert mover.containers() == {name: "running"}


def test_nothing_is_left_of_a_confirmed_move(mover, server, to):
    mover.confirm(server, mover.move(server, to))
    assert mover.remainder() == []


def test_a_second_confirmation_changes_nothing(mover, server):
    migration = mover.move(server)
    mover.confirm(server, migration)
    mover.confirm(server, migration)
    assert mover.containers() == {container_of(server): "running"}


def test_a_reverted_server_is_as_it_was(servers, mover, server, to):
    before = servers.container(server).id
    migration = mover.move(server, to)
    servers.run(server, "echo lost > /file")
    mover.revert(server, migration)
    assert mover.containers() == {container_of(server): "running"}
    assert servers.container(server).id == before
    assert servers.run(server, "cat /file") == (0, "kept\n")
    mover.audit()
    assert mover.remainder() == []


def test_a_resized_server_has_the_limits_of_its_flavor(servers, mover, server, to):
    flavor = mover.flavor(name="large", memory_mb=96, swap=32, vcpus=2)
    mover.move(server, to, flavor)
    host = servers.container(server).attrs["HostConfig"]
    assert host["Memory"] == 96 << 20
    assert host["MemorySwap"] == 128 << 20
    assert host["NanoCpus"] == 2 * 10**9


def test_a_server_that_is_reverted_has_its_old_limits(servers, mover, server, to):
    mover.revert(server, mover.move(server, to, mover.flavor(name="large", memory_mb=96)))
    assert servers.container(server).attrs["HostConfig"]["Memory"] == 64 << 20


def test_a_stopped_server_stays_stopped(servers, mover, server, to):
    servers.driver.power_off(server)
    migration = mover.move(server, to, power_on=False)
    assert servers.container(server).status == "created"
    mover.revert(server, migration, power_on=False)
    assert mover.containers() == {container_of(server): "exited"}


def test_a_server_moves_to_and_fro(servers, mover, server):
    for host in ("host2", "host1", "host1", "host2"):
        servers.run(server, f"echo {host} >> /file")
        mover.confirm(server, mover.move(server, host))
    assert servers.run(server, "cat /file") == (0, "kept\nhost2\nhost1\nhost1\nhost2\n")
    assert mover.containers() == {container_of(server): "running"}


def test_a_moved_server_has_snapshots(servers, mover, server, glance):
    mover.confirm(server, mover.move(server))
    image_id = glance.empty()
    with mover.on("host2") as driver:
        driver.snapshot(servers.context, server, image_id, lambda **_states: None)
    copy = servers.instance()
    servers.spawn(copy, images.objects.ImageMeta.from_dict(glance.images[image_id][0]))
    assert servers.run(copy, "cat /file") == (0, "kept\n")


def test_the_carrier_is_hidden_and_private(servers, mover, server, glance):
    migration, disk_info = mover.send(server)
    image = glance.images[json.loads(disk_info)["image_id"]][0]
    assert image["os_hidden"] is True
    assert image["visibility"] == "private"
    assert image["name"] == f"move-of-{server.uuid}"
    mover.finish(server, migration, disk_info)
    assert image["id"] not in glance.images


def test_a_resize_on_one_host_needs_no_glance(mover, server, glance, monkeypatch):
    monkeypatch.setattr(images, "IMAGE_API", None)
    mover.confirm(server, mover.move(server, "host1"))
    assert mover.containers() == {container_of(server): "running"}
    assert list(mover.folder.glob("host1/*/move")) == []


def test_other_data_than_what_was_sent_is_refused(servers, mover, server, glance, archive):
    migration, disk_info = mover.send(server)
    image_id = json.loads(disk_info)["image_id"]
    other = servers.images[glance.add(archive).id][0]
    glance.images[image_id] = ({**other, "id": image_id}, archive)
    with pytest.raises(errors.BadImage, match="not what was uploaded"):
        mover.finish(server, migration, disk_info)
    assert container_of(server) not in mover.containers()


def test_properties_of_the_carrier_change_nothing(servers, mover, server, glance):
    migration, disk_info = mover.send(server)
    image = glance.images[json.loads(disk_info)["image_id"]][0]
    image["properties"] = {"os_command_line": "reboot", "docker_environment": "LD_PRELOAD"}
    mover.finish(server, migration, disk_info)
    assert "reboot" not in servers.container(server).attrs["Config"]["Cmd"]


def test_a_command_that_nova_cut_is_whole(servers, mover, glance, archive):
    line = f"sh -c 'echo {'x' * 300}; sleep 1000'"
    image = glance.add(archive, properties={"os_command_line": line})
    instance = mover.boot()
    servers.destroy(instance)
    instance.system_metadata = servers.system_metadata(image)
    servers.spawn(instance, image)
    command = servers.container(instance).attrs["Config"]["Cmd"]
    mover.move(instance)
    assert len(command[-1]) > 300
    assert servers.container(instance).attrs["Config"]["Cmd"] == command


def test_a_server_whose_image_is_gone_moves(servers, mover, server, glance):
    del glance.images[server.image_ref]
    mover.move(server)
    assert servers.run(server, "cat /file") == (0, "kept\n")


@pytest.mark.parametrize(
    ("option", "flavor", "reason"),
    [
        ({"image_max_unpacked_size": 1}, {}, "MiB of files"),
        ({}, {"memory_mb": 4}, "needs 6 MB of memory"),
        ({}, {"extra_specs": {"docker:pids_limit": "x"}}, "docker:pids_limit is 'x'"),
        ({}, {"root_gb": 1}, "GiB of files, and the flavor's disk has 1"),
    ],
)
def test_a_server_that_cannot_move_runs_on(
    servers, mover, server, config, monkeypatch, option, flavor, reason
):
    started = servers.container(server).attrs["State"]["StartedAt"]
    config(group="docker", **option)
    server.flavor.root_gb = 2
    monkeypatch.setattr(moves, "_GIB", 1 << 20)
    with pytest.raises(exception.InstanceFaultRollback) as refused:
        mover.send(server, flavor=mover.flavor(**flavor))
    assert reason in str(refused.value.inner_exception)
    assert servers.container(server).attrs["State"]["StartedAt"] == started
    assert mover.remainder() == []


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_server_whose_files_glance_does_not_take_is_as_before(
    servers, mover, server, glance, monkeypatch, state
):
    if state == "exited":
        servers.driver.power_off(server)
    for reason in (exception.ImageQuotaExceeded(image_id="i"), OSError("no connection")):
        monkeypatch.setattr(glance, "create", mock.Mock(side_effect=reason))
        with pytest.raises(exception.InstanceFaultRollback, match="was not moved"):
            mover.send(server)
        assert mover.containers() == {container_of(server): state}
        assert mover.remainder() == []


def test_a_server_whose_files_grow_after_the_check_is_as_before(
    servers, mover, server, config, monkeypatch, to
):
    def grow(*_arguments):
        servers.run(server, "dd if=/dev/zero of=/sparse bs=1 count=1 seek=9999999")

    config(image_max_unpacked_size=8, group="docker")
    monkeypatch.setattr(moves.Moves, "check", grow)
    monkeypatch.setattr(docker.APIClient, "commit", None)
    with pytest.raises(exception.InstanceFaultRollback, match="image_max_unpacked_size"):
        mover.send(server, to)
    assert mover.containers() == {container_of(server): "running"}
    assert mover.remainder() == []


def test_a_hard_reboot_goes_on_with_a_move_that_failed(servers, mover, server, monkeypatch, to):
    migration, disk_info = mover.send(server, to)
    with monkeypatch.context() as patch:
        patch.setattr(request, "container_options", None)
        with pytest.raises(TypeError):
            mover.finish(server, migration, disk_info)
    mover.audit()
    assert mover.containers() == {f"{container_of(server)}-source": "exited"}
    with mover.on(to) as driver:
        driver.reboot(servers.context, server, [], "HARD")
    assert servers.run(server, "cat /file") == (0, "kept\n")
    server.vm_state = vm_states.ACTIVE
    mover.audit()
    found = {container_of(server): "running"}
    if to == "host2":  # its operator has to look
        found[f"{container_of(server)}-source"] = "exited"
    assert mover.containers() == found
    mover.destroy(server)
    assert mover.containers() == {}
    assert mover.remainder() == []


def test_a_hard_reboot_makes_no_empty_container_while_the_files_are_on_the_former_host(
    servers, mover, server
):
    mover.send(server)
    with (
        mover.on("host2") as driver,
        pytest.raises(errors.NotMoved, match="in its source container on host1"),
    ):
        driver.reboot(servers.context, server, [], "HARD")
    assert mover.containers() == {f"{container_of(server)}-source": "exited"}


def test_a_hard_reboot_makes_no_empty_container_of_a_revert_that_did_not_arrive(
    servers, mover, server
):
    """The former host never got the message, or died with it."""
    mover.move(server)
    server.task_state = task_states.RESIZE_REVERTING
    with mover.on("host2") as driver:
        driver.destroy(servers.context, server, [])
    for vm_state in (vm_states.ERROR, vm_states.ACTIVE):
        server.task_state, server.vm_state = None, vm_state
        mover.audit()
        with (
            mover.on("host2") as driver,
            pytest.raises(errors.NotMoved, match="its revert failed"),
        ):
            driver.reboot(servers.context, server, [], "HARD")
    assert mover.containers() == {f"{container_of(server)}-source": "exited"}
    mover.destroy(server)
    mover.audit()
    assert mover.containers() == {}
    assert mover.remainder() == []


def test_a_server_whose_move_failed_is_deleted(mover, server, monkeypatch, to):
    migration, disk_info = mover.send(server, to)
    monkeypatch.setattr(request, "container_options", None)
    with pytest.raises(TypeError):
        mover.finish(server, migration, disk_info)
    mover.destroy(server)
    assert mover.containers() == {}


def test_a_server_that_waits_for_its_confirmation_is_deleted(mover, server, to):
    mover.move(server, to)
    mover.destroy(server)
    assert mover.containers() == {}
    assert mover.remainder() == []


def test_a_reverted_server_whose_region_is_another_one_has_its_devices_and_files(
    servers, mover, server, monkeypatch
):
    def devices_are(path):
        device = devices.Device("char", path, "/dev/fpga0")
        monkeypatch.setattr(devices, "for_instance", lambda instance: [device])

    migration = mover.move(server, "host1")
    devices_are("/dev/zero")
    mover.revert(server, migration)
    assert servers.run(server, "head -c 1 /dev/fpga0 | wc -c; cat /file")[1] == "1\nkept\n"
    assert mover.containers() == {container_of(server): "running"}


def test_a_carrier_that_glance_did_not_delete_is_deleted_later(mover, server, glance, monkeypatch):
    migration, disk_info = mover.send(server)
    with monkeypatch.context() as patch:
        patch.setattr(glance, "delete", mock.Mock(side_effect=OSError("no connection")))
        mover.finish(server, migration, disk_info)
        mover.destroy(server)
    assert mover.remainder() != []
    mover.audit()
    assert mover.remainder() == []


def test_metadata_that_no_container_can_have_keep_a_server_where_it_is(servers, mover, server):
    server.system_metadata["image_docker_environment"] = "MODE"
    server.metadata["MODE"] = "a\nb"
    with pytest.raises(exception.InstanceFaultRollback, match="line break"):
        mover.send(server)
    assert mover.containers() == {container_of(server): "running"}


def test_nova_compute_that_died_while_it_sent_the_files_has_the_server_again(
    servers, mover, server, monkeypatch
):
    class Death(BaseException):
        pass

    def die(*_arguments):
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(carriers, "upload", die)
        with pytest.raises(Death):
            mover.send(server)
    assert mover.containers() == {container_of(server): "exited"}
    migration = mover.migrations[1]
    with mover.on("host1") as driver:
        driver.finish_revert_migration(servers.context, server, [], migration)
    assert servers.run(server, "cat /file") == (0, "kept\n")
    assert mover.remainder() == []


def test_an_audit_leaves_a_move_alone_that_goes_on(mover, server, to):
    migration, disk_info = mover.send(server, to)
    mover.audit()
    mover.finish(server, migration, disk_info)
    mover.audit()
    assert len(mover.containers()) == 2
    mover.revert(server, migration)
    mover.audit()
    assert mover.containers() == {container_of(server): "running"}
