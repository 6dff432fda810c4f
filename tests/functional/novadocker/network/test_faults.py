# SPDX-License-Identifier: Apache-2.0
"""What fails while a server gets its network leaves nothing, and the user a reason."""

import os_vif
import os_vif.exception
import pytest
from nova import exception

from novadocker import errors, images
from novadocker.network import events, links, records
from novadocker.network.ports import Ports
from tests.functional.novadocker.network import ports, traffic


@pytest.fixture
def fails(net, host):
    """Have a boot fail; the reason."""

    def boot(expected, *vifs, instance=None):
        instance = instance or net.instance()
        with pytest.raises(expected) as raised:
            net.spawn(instance, network_info=ports.info(*vifs))
        assert host.remainder() == []
        assert net.client.containers.list(all=True) == []
        assert net.driver.list_instance_uuids() == []
        net.destroy(instance)
        return str(raised.value)

    return boot


@pytest.mark.parametrize("kind", ["binding_failed", "vhostuser", "hw_veb", "bridge", "unknown"])
def test_a_port_of_another_type_is_refused(fails, kind):
    good = ports.vif("10.20.0.5")
    assert kind in fails(errors.NotServed, good, ports.vif("10.20.0.6", type=kind))


def test_a_card_is_refused(fails):
    assert "direct" in fails(errors.NotServed, ports.vif("10.20.0.5", vnic_type="direct"))


def test_ipv6_with_too_small_an_mtu_is_refused(fails):
    reason = fails(errors.NotServed, ports.vif("2001:db8::5", mtu=1279))
    assert "IPv6 needs 1280" in reason


def test_an_mtu_that_no_interface_has_is_refused(fails):
    assert "MTU 67" in fails(errors.NotServed, ports.vif("10.20.0.5", mtu=67))


@pytest.mark.parametrize("step", ["make", "connect"])
def test_a_privileged_step_that_fails(fails, monkeypatch, step):
    real, calls = getattr(links, step), []

    def second_fails(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(links, step, second_fails)
    reason = fails(errors.PlugFailed, ports.vif("10.20.0.5"), ports.vif("10.20.0.6"))
    assert "No space left on device" in reason


def test_os_vif_that_fails_half_way(fails, monkeypatch):
    real = os_vif.plug

    def plug(vif, info):
        real(vif, info)
        raise os_vif.exception.PlugException(vif=vif, err="lost")

    monkeypatch.setattr(os_vif, "plug", plug)
    assert "lost" in fails(errors.PlugFailed, ports.vif("10.20.0.5"))


def test_an_image_that_does_not_come(fails, monkeypatch):
    def ensure(*arguments):
        raise errors.ImageNotReady("i", "gone")

    monkeypatch.setattr(images, "ensure", ensure)
    fails(errors.ImageNotReady, ports.vif("10.20.0.5"))


def test_a_container_that_does_not_start(fails, net, monkeypatch):
    def start(uuid):
        raise errors.EngineRefused("start the container", "no memory")

    monkeypatch.setattr(net.driver.containers, "start", start)
    assert "no memory" in fails(errors.EngineRefused, ports.vif("10.20.0.5"))


def test_neutron_that_does_not_answer(fails, virtapi):
    virtapi.timeout = events.EventTimeout()
    vif = ports.vif("10.20.0.5", active=False)
    assert "within 5 s" in fails(exception.BuildAbortException, vif)
    assert virtapi.waits == [[("network-vif-plugged", vif["id"])]]


def test_neutron_that_does_not_answer_and_need_not(net, virtapi, config):
    config(vif_plugging_is_fatal=False)
    virtapi.timeout = events.EventTimeout()
    instance = net.instance()
    net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5", active=False)))
    assert net.container(instance).status == "running"
    net.destroy(instance)


def test_a_port_that_vanishes_mid_way(fails, net, virtapi):
    """Nova has it detached, and Neutron never reports it."""
    instance, vif = net.instance(), ports.vif("10.20.0.5", active=False)
    virtapi.meanwhile = lambda: net.driver.detach_interface(net.context, instance, vif)
    virtapi.timeout = events.EventTimeout()
    fails(exception.BuildAbortException, vif, instance=instance)


def test_a_boot_takes_over_what_a_killed_nova_compute_left(net, host):
    instance, vif, other = net.instance(), ports.vif("10.20.0.5"), ports.vif("10.20.0.9")
    with net.driver.network.built(instance, Ports.known([other])):
        pass
    assert len(host.remainder()) == 3
    assert net.driver.list_instance_uuids() == [instance.uuid]
    net.spawn(instance, network_info=ports.info(vif))
    assert len(host.remainder()) == 3
    assert [known["id"] for known in records.of(instance.uuid).values()] == [vif["id"]]
    net.destroy(instance)


@pytest.mark.parametrize("killed_after", ["record", "make", "plug", "connect"])
def test_a_nova_compute_that_is_killed_leaves_nothing_after_a_delete(
    net, host, monkeypatch, killed_after
):
    class Killed(BaseException):
        pass

    module, name = {
        "record": (records, "add"),
        "make": (links, "make"),
        "plug": (os_vif, "plug"),
        "connect": (links, "connect"),
    }[killed_after]
    real = getattr(module, name)

    def step(*arguments):
        real(*arguments)
        raise Killed

    instance = net.instance()
    with monkeypatch.context() as patch:
        patch.setattr(module, name, step)
        # A process that is dead undoes nothing.
        patch.setattr(net.driver.network, "_unplug", lambda *_: None)
        patch.setattr(net.driver.network, "remove", lambda *_: None)
        with pytest.raises(Killed):
            net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5")))
    assert net.driver.list_instance_uuids() == [instance.uuid]
    net.driver.destroy(net.context, instance, ports.info())
    assert net.driver.list_instance_uuids() == []
    assert net.client.containers.list(all=True) == []
    assert host.remainder() == []


def test_what_a_destroy_leaves_is_listed_until_the_next(net, host, monkeypatch):
    instance = net.instance()
    net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5")))

    def unplug(vif, info):
        raise os_vif.exception.UnplugException(vif=vif, err="no switch")

    with monkeypatch.context() as patch:
        patch.setattr(os_vif, "unplug", unplug)
        net.destroy(instance)
    assert net.client.containers.list(all=True) == []
    assert len(host.remainder()) == 1
    assert net.driver.list_instance_uuids() == [instance.uuid]
    net.destroy(instance)
    assert host.remainder() == []
    assert net.driver.list_instance_uuids() == []


def test_a_destroy_again_leaves_a_port_alone_that_another_server_has_by_then(
    net, host, pair, monkeypatch
):
    (one, two), (_, vif) = pair

    def unplug(vif, info):
        raise os_vif.exception.UnplugException(vif=vif, err="no switch")

    with monkeypatch.context() as patch:
        patch.setattr(os_vif, "unplug", unplug)
        net.destroy(two)
    three = net.instance()
    net.spawn(three, network_info=ports.info(vif))
    net.destroy(two)
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert two.uuid not in net.driver.list_instance_uuids()
    net.destroy(three)


def test_a_switch_that_was_killed_takes_its_ports_up_again(net, host, pair):
    (one, two), (vif, _) = pair
    traffic.wait_for_ping(net, one, "10.20.0.6")
    host.kill_vswitchd()
    host.start_vswitchd()
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert traffic.receives(net, one, two, "10.20.0.6")
    assert f"fpga-nova-{vif['devname']}" in host.on_host("nft list tables")


@pytest.mark.parametrize("gone", ["interface", "port"])
def test_a_start_of_nova_compute_mends_what_is_gone(net, host, pair, gone):
    (one, two), (_, vif) = pair
    traffic.wait_for_ping(net, one, "10.20.0.6")
    if gone == "interface":
        host.on_host(f"ip link del {vif['devname']}")
    else:
        host.vsctl("del-port", vif["devname"])
    assert not traffic.pings(net, one, "10.20.0.6")
    net.driver.plug_vifs(two, ports.info(vif))
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_start_of_nova_compute_leaves_what_works(net, host, pair):
    (_, two), (_, vif) = pair
    index = host.on_host(f"cat /sys/class/net/{vif['devname']}/ifindex")
    net.driver.plug_vifs(two, ports.info(vif, ports.vif("10.20.0.9")))
    assert host.on_host(f"cat /sys/class/net/{vif['devname']}/ifindex") == index
    assert len(host.ports()) == 2  # a port that somebody made for the server is not plugged
