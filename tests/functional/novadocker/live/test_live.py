# SPDX-License-Identifier: Apache-2.0
"""Live images of containers, with a real Docker Engine, runc and CRIU."""

import json
import pathlib
import time

import nova.conf
import pytest
from nova import exception
from nova.compute import power_state

from novadocker import errors, live_store, snapshots

CONF = nova.conf.CONF


def _status(container):
    """What the kernel says of each process of a container."""
    found = []
    for (pid,) in container.top(ps_args="-o pid")["Processes"]:
        try:
            text = pathlib.Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # a process of the loop, which lives for a moment
        found.append(dict(line.partition(":\t")[::2] for line in text.splitlines()))
    return found


def _limit(container, controller, file):
    pid = container.attrs["State"]["Pid"]
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().split()
    group = next(
        line.split(":")[2] for line in lines if controller in line.split(":")[1].split(",")
    )
    return int(pathlib.Path(f"/sys/fs/cgroup/{controller}{group}/{file}").read_text())


@pytest.fixture
def nothing_left(live, servers):
    """After the test no trace of a blessing is in the engine, with root or with nova-compute."""
    yield
    assert servers.client.api.images(name=snapshots.REPOSITORY, all=True) == []
    assert list(live.spool.glob("*")) == []
    assert list(live.work.glob("*")) == []
    assert list((live.incoming / "marks").glob("*")) == []
    assert list(pathlib.Path(CONF.instances_path).glob("docker-image-*")) == []


@pytest.mark.usefixtures("nothing_left")
def test_clones_have_the_memory_of_the_source_which_goes_on(blesser, servers, glance):
    source = blesser.warm()
    servers.run(source, "echo written > /file")
    word, _name, number = blesser.answer(source)
    image_id = blesser.bless(source)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    image = glance.images[image_id][0]
    assert (image["container_format"], image["min_ram"]) == ("live", 64)
    assert image["properties"]["trait:CUSTOM_LIVE_IMAGE"] == "required"
    assert image["properties"]["live_flavor"] == "small-id"
    clones = [blesser.launch(image_id) for _ in range(2)]
    for clone in clones:
        time.sleep(1)
        found = blesser.answer(clone)
        assert found[0] == word
        assert found[1] == clone.hostname
        assert found[2] >= number
        assert servers.run(clone, "cat /file") == (0, "written\n")
        # What it writes is in its own console log.
        assert "answer" in servers.driver.get_console_output(servers.context, clone)
    assert blesser.answer(source)[:2] == (word, source.hostname)


def test_a_clone_has_its_own_limits_and_the_privileges_of_its_source(blesser, servers):
    image_id = blesser.bless(source := blesser.warm())
    clone = blesser.instance(image_id)
    clone.flavor.memory_mb, clone.flavor.extra_specs = 96, {"docker:pids_limit": "77"}
    blesser.servers.spawn(clone, clone.image_meta)
    container = servers.container(clone)
    assert _limit(container, "memory", "memory.limit_in_bytes") == 96 << 20
    assert _limit(container, "pids", "pids.max") == 77
    statuses = _status(container)
    assert statuses
    names = ("NoNewPrivs", "Seccomp", "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")
    status = _status(servers.container(source))[0]
    expected = {name: status[name] for name in names}
    assert (expected["NoNewPrivs"], expected["Seccomp"]) == ("1", "2")
    for status in statuses:
        assert {name: status[name] for name in names} == expected


def test_a_stopped_clone_starts_cold_and_a_paused_one_goes_on(blesser, servers):
    word = blesser.answer(source := blesser.warm())[0]
    clone = blesser.launch(blesser.bless(source))
    servers.driver.pause(clone)
    servers.driver.unpause(clone)
    assert blesser.answer(clone)[0] == word
    servers.driver.power_off(clone)
    servers.driver.power_on(servers.context, clone, [])
    servers.run(clone, "rm /tmp/answer; sleep 1")
    assert blesser.answer(clone)[0] != word


def test_a_clone_can_be_blessed(blesser):
    word = blesser.answer(source := blesser.warm())[0]
    second = blesser.launch(blesser.bless(source))
    third = blesser.launch(blesser.bless(second))
    assert blesser.answer(third)[0] == word


def test_a_plain_snapshot_of_a_clone_is_a_plain_image(blesser, servers, glance):
    clone = blesser.launch(blesser.bless(blesser.warm()))
    image_id = glance.empty()
    glance.images[image_id][0]["properties"]["live_image"] = "done"  # Nova copies it
    servers.driver.snapshot(servers.context, clone, image_id, lambda *a, **k: None)
    image = glance.images[image_id][0]
    assert image["container_format"] == "docker"
    assert image["properties"]["trait:CUSTOM_LIVE_IMAGE"] != "required"


def _changed(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.usefixtures("nothing_left")
def test_a_changed_image_makes_no_server(blesser, glance):
    image_id = blesser.bless(blesser.warm())
    data = glance.images[image_id][1]
    manifest = data.index(b'"project": "project"') + 13
    refused = {
        "manifest": _changed(data, manifest),
        "signature": _changed(data, data.index(b'"signature": "') + 20),
        "cut": data[: len(data) // 2],
        "image": _changed(data, data.rindex(b"manifest.json")),
    }
    for change in refused.values():
        image = glance.add(change, container_format="live")
        clone = blesser.instance(image.id)
        with pytest.raises(exception.ImageUnacceptable):
            blesser.servers.spawn(clone, image)


def test_a_changed_page_is_found_by_root(blesser, glance, live):
    image_id = blesser.bless(blesser.warm())
    blesser.launch(image_id)
    (folder,) = (live.incoming / "images").iterdir()
    (pages, *_) = sorted((folder / "criu").glob("pages-*.img"))
    pages.write_bytes(_changed(pages.read_bytes(), 5000))
    with pytest.raises(errors.EngineRefused, match="is not the file that was signed"):
        blesser.launch(image_id)
    # It is fetched again.
    blesser.launch(image_id)
    (folder / "live.sig").unlink()
    with pytest.raises(errors.ImageNotReady, match="it is not signed"):
        blesser.launch(image_id)
    blesser.launch(image_id)


def test_no_other_project_launches_it(blesser):
    image_id = blesser.bless(blesser.warm())
    with pytest.raises(exception.ImageUnacceptable, match="of another project"):
        blesser.launch(image_id, project_id="another")


def test_a_rebuild_with_an_image_of_another_project_is_refused_before_anything_is_gone(
    blesser, servers
):
    image_id = blesser.bless(blesser.warm())
    servers.driver.check_rebuild(servers.context, blesser.instance(image_id))
    other = blesser.instance(image_id, project_id="another")
    with pytest.raises(exception.ImageUnacceptable, match="of another project"):
        servers.driver.check_rebuild(servers.context, other)
    servers.driver.live.refusal = "it has no CRIU"
    with pytest.raises(errors.ImageNotReady, match="it has no CRIU"):
        servers.driver.check_rebuild(servers.context, blesser.instance(image_id))


def test_an_image_that_is_too_large_is_refused_before_it_is_written(blesser, servers, monkeypatch):
    source = blesser.warm()
    monkeypatch.setattr(live_store, "write", lambda *_: pytest.fail("it is written"))
    monkeypatch.setattr(live_store, "size", lambda *_: 1 << 50)
    with pytest.raises(errors.NoSnapshot, match="image_max_size"):
        blesser.bless(source)
    assert servers.driver.get_info(source).state == power_state.RUNNING


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("end", ["pause", "stop"])
def test_only_a_server_that_runs_is_blessed(blesser, servers, end):
    source = blesser.warm()
    getattr(servers.container(source), end)()
    before = servers.driver.get_info(source).state
    with pytest.raises(errors.NoSnapshot, match="only a server that runs"):
        blesser.bless(source)
    assert servers.driver.get_info(source).state == before


@pytest.mark.usefixtures("nothing_left")
def test_a_failed_dump_leaves_the_source_running(blesser, servers, config, live):
    source = blesser.warm()
    blesser.servers.driver.live.look()
    program = pathlib.Path(CONF.docker.live_exec)
    good = program.read_text()
    program.write_text('#!/bin/sh\n[ "$1" != dump ] || { echo "Error: no way" >&2; exit 1; }\n')
    with pytest.raises(errors.NoSnapshot, match="no way"):
        blesser.bless(source)
    program.write_text(good)
    assert servers.driver.get_info(source).state == power_state.RUNNING


def test_a_host_without_criu_has_no_trait_and_refuses(blesser, servers, live, dockerd):
    file = pathlib.Path(CONF.docker.live_settings)
    file.write_text(file.read_text().replace(str(live.criu), "/bin/false"))
    source = blesser.warm()
    with pytest.raises(errors.NoSnapshot, match=r"its host has no live images: .*does not say"):
        blesser.bless(source)

    class Tree:
        added, removed = [], []

        def add_traits(self, node, *traits):
            self.added += traits

        def remove_traits(self, node, *traits):
            self.removed += traits

    servers.driver.live.update_traits(tree := Tree(), "host1")
    assert (tree.added, tree.removed) == ([], ["CUSTOM_LIVE_IMAGE"])


def test_a_host_whose_option_is_off_refuses(blesser, config):
    source = blesser.warm()
    config(live_images=False, group="docker")
    with pytest.raises(errors.NoSnapshot, match="live_images is off"):
        blesser.bless(source)


def test_the_manifest_names_what_is_needed(blesser, glance, live, servers):
    image_id = blesser.bless(source := blesser.warm())
    data = glance.images[image_id][1]
    start = data.index(b'{\n "version": 1')
    table = json.JSONDecoder().raw_decode(data[start : start + 200_000].decode("latin-1"))[0]
    assert (table["project"], table["instance"]) == ("project", source.uuid)
    assert table["criu"].startswith("4.")
    assert "/etc/hosts" in table["mounts"]
