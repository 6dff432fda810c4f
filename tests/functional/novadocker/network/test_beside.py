# SPDX-License-Identifier: Apache-2.0
"""The network and the container of a server are made beside each other, and neither waits in vain.

Each test has one of the two go slowly.
"""

import threading
import time

import pytest
from nova import exception

from novadocker import errors, images
from novadocker.network import links
from tests.functional.novadocker.network import ports
from tests.support.allocation import Allocation


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


class Neutron:
    """Stands in for Neutron, which Nova asks for ports in another thread."""

    def allocate(self):
        return ports.info(ports.vif("10.20.0.5"))


@pytest.fixture
def neutron():
    return Neutron()


@pytest.fixture
def boot(net):
    """A server whose program shows its network at once, and ends; what it wrote.

    It is called with the ports, if those are not there already.
    """

    def run(network_info=None):
        net.image.properties.os_command_line = "ifconfig eth0"
        instance = net.instance()
        if network_info is None:
            network_info = ports.info(ports.vif("10.20.0.5"))
        net.spawn(instance, network_info=network_info)
        net.container(instance).wait()
        output = net.container(instance).logs().decode()
        net.destroy(instance)
        return output

    return run


def test_a_container_is_made_before_there_is_a_sandbox(net, boot, after):
    after(net.driver.network._sandboxes, "make", net.driver.containers, "create")
    assert "inet addr:10.20.0.5" in boot()


def test_an_image_is_fetched_before_neutron_has_allocated_the_ports(neutron, boot, after):
    after(neutron, "allocate", images, "ensure")
    assert "inet addr:10.20.0.5" in boot(Allocation(neutron.allocate))


def test_nothing_stays_where_neutron_allocates_no_port_once_the_image_is_there(
    net, host, neutron, after
):
    def refuse():
        raise exception.PortLimitExceeded

    neutron.allocate = refuse
    after(neutron, "allocate", images, "ensure")
    with pytest.raises(exception.PortLimitExceeded):
        net.spawn(net.instance(), network_info=Allocation(neutron.allocate))
    assert host.remainder() == []
    assert net.client.containers.list(all=True) == []
    assert net.driver.list_instance_uuids() == []


def test_a_server_for_which_neutron_has_no_network_runs_and_gets_a_port_later(net, neutron):
    neutron.allocate = ports.info
    instance = net.instance()
    net.spawn(instance, network_info=Allocation(neutron.allocate))
    assert [one.name for one in net.client.containers.list()] == [f"nova-{instance.uuid}"]
    net.driver.reboot(net.context, instance, [], "HARD")
    port = ports.vif("10.20.0.5")
    net.driver.attach_interface(net.context, instance, net.image, port)
    answer = net.container(instance).exec_run(["ifconfig", "eth0"])
    assert b"inet addr:10.20.0.5" in answer.output
    net.driver.detach_interface(net.context, instance, port)
    net.destroy(instance)


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
