# SPDX-License-Identifier: Apache-2.0
"""Unused images go from a real Docker Engine after a while, and those in use never."""

import os
import pathlib
import time

import docker
import nova.conf
import pytest
from nova import objects

from tests.support import container_images as archives

_DAY = 24 * 3600


def _age(seconds):
    """Have all images not been used for so long."""
    then = time.time() - seconds
    for marker in pathlib.Path(nova.conf.CONF.instances_path, "docker-images").iterdir():
        os.utime(marker, (then, then))


def _names(servers, image=None):
    found = servers.client.images.list(filters={"reference": "fpga-nova/*"})
    names = [tag for image in found for tag in image.tags]
    return [name for name in names if (image or servers.image).id in name]


def _manage(servers, *instances):
    listed = objects.InstanceList(objects=list(instances))
    servers.driver.manage_image_cache(servers.context, listed)


@pytest.fixture
def unused(servers):
    """The image of a server that is deleted, not used for long."""
    instance = servers.boot()
    servers.destroy(instance)
    _age(2 * _DAY)
    assert len(_names(servers)) == 1
    return instance


def test_nova_s_image_cache_manager_asks_the_driver(driver):
    assert driver.capabilities["has_imagecache"]


def test_an_unused_image_is_removed(servers, unused):
    _manage(servers)
    assert _names(servers) == []
    markers = pathlib.Path(nova.conf.CONF.instances_path, "docker-images").iterdir()
    assert not [marker for marker in markers if servers.image.id in marker.name]
    servers.boot()  # and is fetched again


def test_an_image_with_a_container_stays(servers):
    instance = servers.boot()
    servers.driver.power_off(instance)
    _age(2 * _DAY)
    _manage(servers)
    assert len(_names(servers)) == 1
    servers.destroy(instance)
    _manage(servers)  # its time begins when it was seen in use
    assert len(_names(servers)) == 1


def test_an_image_with_an_instance_stays(servers, unused):
    _manage(servers, servers.instance())
    assert len(_names(servers)) == 1


def test_an_image_with_a_container_of_others_stays(servers, unused):
    (name,) = _names(servers)
    servers.client.containers.create(servers.client.images.get(name).id, network_mode="none")
    _manage(servers)
    assert _names(servers) == [name]


def test_a_young_image_stays(servers, unused):
    _age(_DAY - 100)
    _manage(servers)
    assert len(_names(servers)) == 1


def test_an_image_that_a_build_may_need_soon_stays_whatever_the_options(servers, unused, config):
    config(remove_unused_original_minimum_age_seconds=0, group="image_cache")
    _age(600)
    _manage(servers)
    assert len(_names(servers)) == 1


def test_an_image_of_unknown_age_is_young(servers, unused):
    for marker in pathlib.Path(nova.conf.CONF.instances_path, "docker-images").iterdir():
        marker.unlink()
    _manage(servers)
    assert len(_names(servers)) == 1
    _age(2 * _DAY)
    _manage(servers)
    assert _names(servers) == []


def test_an_image_that_a_wrong_clock_dated_later_is_young(servers, unused, monkeypatch):
    _age(-365 * _DAY)
    _manage(servers)
    assert len(_names(servers)) == 1
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 2 * _DAY)
    _manage(servers)
    assert _names(servers) == []


def test_images_of_others_stay(servers, unused):
    (name,) = _names(servers)
    servers.client.images.get(name).tag("busybox", "1")
    _manage(servers)
    assert servers.client.images.get("busybox:1")
    servers.client.images.remove("busybox:1")


def test_an_image_that_goes_meanwhile_keeps_no_other_from_going(
    servers, unused, glance, monkeypatch
):
    other = glance.add(
        archives.tar(archives.docker_members(archives.Image((archives.tar({"a": b""}),))))
    )
    instance = servers.instance()
    servers.spawn(instance, other)
    servers.destroy(instance)
    real = docker.APIClient.images

    def images(*arguments, **named):
        found = real(*arguments, **named)
        patch.undo()
        for name in _names(servers, other):
            servers.client.images.remove(name)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(docker.APIClient, "images", images)
        _manage(servers)
    assert _names(servers) == []


def test_nothing_is_removed_where_the_operator_says_so(servers, unused, config):
    config(remove_unused_base_images=False, group="image_cache")
    _manage(servers)
    assert len(_names(servers)) == 1


def test_nothing_happens_while_the_engine_is_down(servers, unused, config):
    config(host_url="unix:///nonexistent/docker.sock", group="docker")
    servers.driver.engine._connection = None
    _manage(servers)
    assert len(_names(servers)) == 1
