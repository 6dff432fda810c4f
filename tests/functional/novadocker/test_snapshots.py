# SPDX-License-Identifier: Apache-2.0
"""Snapshots of containers, with a real Docker Engine."""

import io
import json
import multiprocessing
import os
import pathlib
import tarfile

import docker
import nova.conf
import pytest
from nova import exception, objects
from nova.compute import power_state, task_states

from novadocker import containers, errors, pauses, request, sizes, snapshots

CONF = nova.conf.CONF


class Manager:
    """Takes snapshots as Nova's manager does."""

    def __init__(self, servers, glance):
        self.servers, self.glance = servers, glance
        self.states = []

    def update(self, task_state, expected_state=task_states.IMAGE_SNAPSHOT):
        self.states.append((task_state, expected_state))

    def take(self, instance, update=None, image_id=None):
        """The image's id in Glance."""
        image_id = image_id or self.glance.empty()
        self.servers.driver.snapshot(
            self.servers.context, instance, image_id, update or self.update
        )
        return image_id

    def audit(self, starts=False):
        """Do what Nova does once a minute, or when nova-compute starts."""
        driver = self.servers.driver
        if starts:
            driver = type(driver)(None)
            driver.init_host("host1")
        driver.get_available_resource("host1")

    def boot(self, image_id):
        """An instance of a snapshot."""
        instance = self.servers.instance()
        image = objects.ImageMeta.from_dict(self.glance.images[image_id][0])
        self.servers.spawn(instance, image)
        return instance


@pytest.fixture
def manager(servers, glance):
    """What takes snapshots."""
    return Manager(servers, glance)


@pytest.fixture
def nothing_left(servers, glance):
    """After the test no trace of a snapshot is in the engine or on the host."""
    yield
    assert _traces(servers) == []


def _traces(servers):
    images = servers.client.api.images(name=snapshots.REPOSITORY, all=True)
    folders = pathlib.Path(CONF.instances_path).glob("docker-image-*")
    return [*images, *(folder.name for folder in folders)]


def _read(data):
    """The settings and the layers of an archive."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        read = {member.name: opened.extractfile(member).read() for member in opened}
    (entry,) = json.loads(read["manifest.json"])
    return json.loads(read[entry["Config"]]), [read[name] for name in entry["Layers"]]


def _names(layer):
    with tarfile.open(fileobj=io.BytesIO(layer)) as opened:
        return opened.getnames()


@pytest.mark.usefixtures("nothing_left")
def test_a_server_boots_of_a_snapshot_with_what_was_written(servers, manager):
    source = servers.boot()
    assert servers.run(source, "echo kept > /file && rm /bin/wc")[0] == 0
    image_id = manager.take(source)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    booted = manager.boot(image_id)
    assert servers.run(booted, "cat /file") == (0, "kept\n")
    assert servers.run(booted, "test -e /bin/wc")[0] != 0
    assert servers.run(booted, "hostname") == (0, f"{booted.hostname}\n")
    command = servers.container(source).attrs["Config"]["Cmd"]
    assert servers.container(booted).attrs["Config"]["Cmd"] == command


def test_a_snapshot_of_a_snapshot_has_all_that_was_written(servers, manager):
    source = servers.boot()
    servers.run(source, "echo 1 > /first")
    second = manager.boot(manager.take(source))
    servers.run(second, "echo 2 > /second")
    third = manager.boot(manager.take(second))
    assert servers.run(third, "cat /first /second") == (0, "1\n2\n")


def test_the_image_is_one_that_this_driver_reads(servers, manager, glance):
    image = glance.images[manager.take(servers.boot())][0]
    assert (image["container_format"], image["disk_format"]) == ("docker", "raw")


def test_nova_is_told_of_each_step(servers, manager):
    manager.take(servers.boot())
    assert manager.states == [
        (task_states.IMAGE_PENDING_UPLOAD, task_states.IMAGE_SNAPSHOT),
        (task_states.IMAGE_UPLOADING, task_states.IMAGE_PENDING_UPLOAD),
    ]


@pytest.mark.parametrize("end", ["pause", "stop"])
def test_a_container_that_does_not_run_stays_so(servers, manager, end):
    instance = servers.boot()
    servers.run(instance, "echo kept > /file")
    getattr(servers.container(instance), end)()
    before = servers.driver.get_info(instance).state
    booted = manager.boot(manager.take(instance))
    assert servers.driver.get_info(instance).state == before != power_state.RUNNING
    assert servers.run(booted, "cat /file") == (0, "kept\n")


def test_nothing_that_the_container_got_for_itself_is_in_the_image(
    servers, manager, glance, archive, monkeypatch, tmp_path
):
    plain = request.container_options

    def with_more(*arguments, **more):
        options = plain(*arguments, **more)
        mount = {"Target": "/run/openstack", "Source": str(tmp_path), "Type": "bind"}
        environment = {"PASSWORD": "hidden-in-environment"}
        return {**options, "environment": environment, "mounts": [mount]}

    monkeypatch.setattr(request, "container_options", with_more)
    (tmp_path / "user_data").write_text("hidden-in-mount")
    image = glance.add(archive, properties={"os_command_line": "sleep 4242"})
    instance = servers.instance()
    servers.spawn(instance, image)
    assert servers.run(instance, "cat /run/openstack/user_data")[1] == "hidden-in-mount"
    servers.run(instance, "touch /run/own")
    data = glance.images[manager.take(instance)][1]
    config, layers = _read(data)
    assert b"hidden-in" not in data
    assert b"org.openstack" not in data
    assert config["config"] == _read(archive)[0]["config"]
    assert "4242" not in str(config)
    written = _names(layers[-1])
    assert "run/own" in written
    assert not [name for name in written if "openstack" in name or "docker-init" in name]


def test_a_command_that_nova_cut_is_whole_in_the_image(servers, manager, glance, archive):
    line = f"sh -c 'echo {'x' * 300}; sleep 1000'"
    image = glance.add(archive, properties={"os_command_line": line})
    instance = servers.instance()
    instance.system_metadata = servers.system_metadata(image)
    servers.spawn(instance, image)
    image_id = manager.take(instance)
    booted = manager.boot(image_id)
    command = servers.container(instance).attrs["Config"]["Cmd"]
    assert command[0] == "sh"
    assert servers.container(booted).attrs["Config"]["Cmd"] == command


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("option", "most", "reason"),
    [
        ("image_max_unpacked_size", 4, r"the server has \d+ MiB of files"),
        ("image_max_size", 4, r"it is larger than 4 MiB.*image_max_size"),
        ("image_max_files", 5, "more than 5 files"),
    ],
)
def test_a_container_that_could_not_boot_again_has_no_snapshot(
    servers, manager, glance, config, option, most, reason
):
    instance = servers.boot()
    servers.run(instance, "dd if=/dev/zero of=/large bs=1M count=5; cd /tmp; touch 1 2 3 4 5 6")
    config(group="docker", **{option: most})
    with pytest.raises(errors.NoSnapshot, match=reason):
        manager.take(instance)
    assert servers.driver.get_info(instance).state == power_state.RUNNING


@pytest.mark.usefixtures("nothing_left")
def test_a_container_that_is_too_large_is_not_copied(servers, manager, config, monkeypatch):
    instance = servers.boot()
    servers.run(instance, "dd if=/dev/zero of=/large bs=1M count=9")
    config(image_max_unpacked_size=8, group="docker")
    monkeypatch.setattr(snapshots.Snapshots, "_committed", None)
    with pytest.raises(errors.NoSnapshot, match="image_max_unpacked_size"):
        manager.take(instance)


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sparse_file_counts_with_its_whole_size_whenever_it_is_made(
    servers, manager, config, monkeypatch, when
):
    def look(self, instance, attributes):
        size = before(self, instance, attributes)
        if when == "after":
            servers.run(instance, sparse)
        return size

    instance, before = servers.boot(), snapshots.Snapshots.check
    sparse = "dd if=/dev/zero of=/sparse bs=1 count=1 seek=9999999"
    if when == "before":
        servers.run(instance, sparse)
    config(image_max_unpacked_size=8, group="docker")
    monkeypatch.setattr(snapshots.Snapshots, "check", look)
    monkeypatch.setattr(docker.APIClient, "commit", None)
    with pytest.raises(errors.NoSnapshot, match="image_max_unpacked_size"):
        manager.take(instance)
    assert servers.driver.get_info(instance).state == power_state.RUNNING


@pytest.mark.usefixtures("nothing_left")
def test_a_container_writes_nothing_while_it_is_measured_and_copied(servers, manager, monkeypatch):
    def exact(*arguments):
        states.append(servers.container(instance).status)
        return measure(*arguments)

    instance, states, measure = servers.boot(), [], sizes.exact
    monkeypatch.setattr(sizes, "exact", exact)
    manager.take(instance)
    assert states == ["paused"]
    assert servers.container(instance).status == "running"


@pytest.mark.usefixtures("nothing_left")
def test_the_engine_writes_no_more_than_the_limit(servers, manager, config, monkeypatch):
    instance = servers.boot()
    servers.run(instance, "dd if=/dev/zero of=/large bs=1M count=5")
    monkeypatch.setattr(sizes, "check", lambda _size: None)
    monkeypatch.setattr(snapshots, "_ROOM", 0)
    config(image_max_unpacked_size=4, group="docker")
    with pytest.raises(errors.NoSnapshot, match="more than 4 MiB"):
        manager.take(instance)


@pytest.mark.usefixtures("nothing_left")
def test_a_full_disk_is_reported(servers, manager, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    instance = servers.boot()
    monkeypatch.setattr(snapshots.Snapshots, "_save", full)
    with pytest.raises(errors.NoSnapshot, match="host cannot write it: No space left"):
        manager.take(instance)


def test_a_container_that_is_gone_has_no_snapshot(servers, manager):
    instance = servers.boot()
    servers.container(instance).remove(force=True)
    with pytest.raises(errors.NoContainer, match="hard reboot"):
        manager.take(instance)
    assert manager.states == []


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("state", [task_states.IMAGE_PENDING_UPLOAD, task_states.IMAGE_UPLOADING])
def test_nothing_stays_of_a_server_that_is_deleted_meanwhile(servers, manager, state):
    instance = servers.boot()

    def update(task_state, **_expected):
        if task_state == state:
            servers.destroy(instance)
            raise exception.UnexpectedDeletingTaskStateError(
                instance_uuid=instance.uuid, expected={}, actual={}
            )

    with pytest.raises(exception.UnexpectedDeletingTaskStateError):
        manager.take(instance, update)
    assert servers.client.containers.list(all=True) == []


@pytest.mark.usefixtures("nothing_left")
def test_nothing_stays_where_glance_takes_nothing(servers, manager, glance, monkeypatch):
    def refuse(*_arguments, **_more):
        raise exception.ImageNotFound(image_id="i")

    monkeypatch.setattr(glance, "update", refuse)
    with pytest.raises(exception.ImageNotFound):
        manager.take(servers.boot())


@pytest.mark.usefixtures("nothing_left")
def test_an_upload_that_nova_repeats_from_its_middle_is_noticed(
    servers, manager, glance, monkeypatch
):
    update = glance.update

    def repeat(context, image_id, metadata, data, purge_props):
        data.read(1000)
        return update(context, image_id, metadata, data, purge_props)

    monkeypatch.setattr(glance, "update", repeat)
    with pytest.raises(errors.NoSnapshot, match=r"Glance got \d+ of \d+ bytes"):
        manager.take(servers.boot())


def test_the_next_start_removes_what_a_killed_nova_compute_left(servers, manager, glance):
    instance = servers.boot()

    def die(*_arguments, **_more):
        os._exit(9)

    def snapshot():
        snapshots.Snapshots._save = die
        manager.take(instance)

    process = multiprocessing.get_context("fork").Process(target=snapshot)
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert len(_traces(servers)) == 2
    manager.audit(starts=True)
    assert _traces(servers) == []
    assert servers.run(manager.boot(manager.take(instance)), "true")[0] == 0


def test_images_of_others_stay(servers, manager, config):
    instance = servers.boot()
    own = servers.container(instance).commit("operators", "1", changes="LABEL a=b")
    config(host="host2")
    other = servers.driver.snapshots
    with other._committed(servers.boot(), "of-another-host") as name:
        config(host="host1")
        manager.audit(starts=True)
        assert servers.client.images.get(name)
        assert servers.client.images.get(own.id)
    servers.client.images.remove(own.id, force=True)


def test_an_audit_leaves_a_snapshot_alone_that_goes_on(servers, manager):
    save = servers.driver.snapshots._save

    def audit_and_save(*arguments):
        manager.audit()
        save(*arguments)

    servers.driver.snapshots._save = audit_and_save
    assert manager.take(servers.boot(), lambda **_states: manager.audit())


def test_a_container_that_a_dead_engine_left_paused_goes_on(servers, manager, monkeypatch):
    def fails(*_arguments):
        raise errors.EngineUnavailable("unix:///s", ConnectionError())

    instance, other = servers.boot(), servers.boot()
    with (
        monkeypatch.context() as patch,
        pytest.raises(errors.EngineUnavailable),
        servers.driver.snapshots.pauses.held(instance.uuid),
    ):
        patch.setattr(containers.Containers, "unpause", fails)
        fails()
    servers.driver.snapshots._interrupted = True
    servers.driver.pause(other)
    assert servers.driver.get_info(instance).state == power_state.PAUSED
    manager.audit()
    assert servers.driver.get_info(instance).state == power_state.RUNNING
    assert servers.driver.get_info(other).state == power_state.PAUSED
    servers.driver.pause(instance)
    manager.audit()
    assert servers.driver.get_info(instance).state == power_state.PAUSED


def test_an_audit_forgets_a_pause_of_a_container_that_is_gone(servers, manager):
    instance = servers.boot()
    pauses._RECORDS.write(instance.uuid, {})
    servers.destroy(instance)
    manager.audit(starts=True)
    assert pauses._RECORDS.uuids() == []
