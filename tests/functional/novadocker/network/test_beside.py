# SPDX-License-Identifier: Apache-2.0
"""The network and the container of a server are made beside each other, and neither waits in vain.

Each test has one of the two go slowly.
"""

import threading
import time

import pytest

from novadocker import errors, images
from novadocker.network import links
from tests.functional.novadocker.network import ports


@pytest.fixture
def after(monkeypatch):
    """Have a call wait until another one is done."""

    def arrange(late, name, early, early_name):
        done = threading.Event()
        first, second = getattr(early, early_name), getattr(late, name)

        def begin(*arguments):
            result = first(*arguments)
            done.set()
            return result

        def follow(*arguments):
            assert done.wait(30), f"{early_name} does not come before {name}"
            return second(*arguments)

        monkeypatch.setattr(early, early_name, begin)
        monkeypatch.setattr(late, name, follow)

    return arrange


@pytest.fixture
def boot(net):
    """A server whose program shows its network at once, and ends; what it wrote."""

    def run():
        net.image.properties.os_command_line = "ifconfig eth0"
        instance = net.instance()
        net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5")))
        net.container(instance).wait()
        output = net.container(instance).logs().decode()
        net.destroy(instance)
        return output

    return run


def test_a_container_is_made_before_there_is_a_sandbox(net, boot, after):
    after(net.driver.network._sandboxes, "make", net.driver.containers, "create")
    assert "inet addr:10.20.0.5" in boot()


def test_a_network_is_complete_before_there_is_an_image(boot, after):
    after(images, "ensure", links, "connect")
    assert "inet addr:10.20.0.5" in boot()


def test_a_container_does_not_start_before_its_network_is_complete(boot, monkeypatch):
    real = links.connect

    def connect(*arguments):
        time.sleep(2)
        real(*arguments)

    monkeypatch.setattr(links, "connect", connect)
    assert "inet addr:10.20.0.5" in boot()


@pytest.mark.parametrize("fails_last", ["container", "network"])
def test_nothing_stays_whichever_fails_last(net, host, after, monkeypatch, fails_last):
    create, make = net.driver.containers.create, net.driver.network._sandboxes.make

    def refused(name, real):
        def call(*arguments):
            real(*arguments)
            raise errors.EngineRefused(f"make the {name}", "no memory")

        return call

    if fails_last == "container":
        monkeypatch.setattr(net.driver.containers, "create", refused("container", create))
        after(net.driver.containers, "create", links, "connect")
    else:
        monkeypatch.setattr(net.driver.network._sandboxes, "make", refused("network", make))
        after(net.driver.network._sandboxes, "make", net.driver.containers, "create")
    instance = net.instance()
    with pytest.raises(errors.EngineRefused, match=f"make the {fails_last}"):
        net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5")))
    assert host.remainder() == []
    assert net.client.containers.list(all=True) == []
    assert net.driver.list_instance_uuids() == []
