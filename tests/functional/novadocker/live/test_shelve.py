# SPDX-License-Identifier: Apache-2.0
"""Servers that are shelved keep their memory where the operator has it so."""

import pytest
from nova import exception, objects
from nova.compute import power_state, task_states, vm_states

from novadocker import errors, snapshot_images
from novadocker.live import settings
from tests.functional.novadocker.live.test_suspend import debugged


@pytest.fixture(autouse=True)
def _allowed(live, servers, config):
    config(live_shelve=True, group="docker")
    servers.driver.live.look()


@pytest.fixture
def dumps(live):
    """The containers whose memory is on this host."""
    return lambda: [path.name for path in live.state.glob(f"{settings.SUSPENDED}/*")]


def _shelve(servers, glance, instance):
    """What Nova does at a shelving; the image."""
    image_id = glance.empty()
    instance.task_state, instance.vm_state = task_states.SHELVING, vm_states.ACTIVE
    servers.driver.power_off(instance, 10, 10)
    servers.driver.snapshot(servers.context, instance, image_id, lambda *states, **more: None)
    instance.task_state, instance.vm_state = None, vm_states.SHELVED
    return image_id


def _unshelve(servers, glance, instance, image_id):
    """What Nova does where a server was taken off its host."""
    instance.image_ref = image_id
    servers.spawn(instance, objects.ImageMeta.from_dict(glance.images[image_id][0]))


def test_a_server_that_was_taken_off_its_host_has_its_memory(blesser, servers, glance, dumps):
    source = blesser.warm()
    servers.run(source, "echo written > /file")
    word, name, number = blesser.answer(source)
    image_id = _shelve(servers, glance, source)
    image = glance.images[image_id][0]
    assert image["container_format"] == "live"
    assert image["properties"]["trait:CUSTOM_LIVE_IMAGE"] == "required"
    servers.destroy(source)
    assert dumps() == []
    _unshelve(servers, glance, source, image_id)
    found = blesser.answer(source)
    assert found[:2] == (word, name)
    assert found[2] >= number
    assert servers.run(source, "cat /file") == (0, "written\n")


def test_a_server_that_stayed_on_its_host_has_its_memory(blesser, servers, glance, dumps):
    word = blesser.answer(source := blesser.warm())[0]
    _shelve(servers, glance, source)
    assert dumps() == [servers.container(source).id]
    servers.driver.power_on(servers.context, source, [])
    assert blesser.answer(source)[0] == word
    assert dumps() == []


def test_a_suspended_server_is_shelved_with_its_memory(blesser, servers, glance):
    word = blesser.answer(source := blesser.warm())[0]
    servers.driver.suspend(servers.context, source)
    image_id = _shelve(servers, glance, source)
    servers.destroy(source)
    _unshelve(servers, glance, source, image_id)
    assert blesser.answer(source)[0] == word


def test_a_server_that_cannot_be_dumped_is_not_shelved_unless_it_is_stopped(
    blesser, servers, glance
):
    word = blesser.answer(source := blesser.warm())[0]
    with (
        debugged(servers.container(source)),
        pytest.raises(errors.NotShelved, match="being traced") as e,
    ):
        _shelve(servers, glance, source)
    assert "stopped first" in str(e.value)
    assert blesser.answer(source)[0] == word
    source.task_state = task_states.POWERING_OFF
    servers.driver.power_off(source)
    assert glance.images[_shelve(servers, glance, source)][0]["container_format"] == "docker"


def test_a_shelving_that_fails_leaves_the_server_with_its_memory(
    blesser, servers, glance, monkeypatch
):
    word = blesser.answer(source := blesser.warm())[0]

    def full(*_arguments, **_more):
        raise exception.ImageUnacceptable(image_id="1", reason="full")

    monkeypatch.setattr(snapshot_images, "upload", full)
    monkeypatch.setattr(type(source), "get_network_info", lambda _self: [])
    with pytest.raises(exception.ImageUnacceptable):
        _shelve(servers, glance, source)
    assert servers.driver.get_info(source).state == power_state.RUNNING
    assert blesser.answer(source)[0] == word


def test_no_memory_is_kept_where_the_operator_does_not_have_it_so(
    blesser, servers, glance, config, dumps
):
    config(live_shelve=False, group="docker")
    source = blesser.warm()
    image_id = _shelve(servers, glance, source)
    assert glance.images[image_id][0]["container_format"] == "docker"
    assert dumps() == []
