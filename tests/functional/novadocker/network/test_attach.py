# SPDX-License-Identifier: Apache-2.0
"""Interfaces that come and go while a container runs, and many of them."""

import pytest
from nova.network import model

from novadocker import errors
from novadocker.network import records
from tests.functional.novadocker.network import ports, traffic


def _interfaces(net, instance):
    return sorted(net.run(instance, "ls /sys/class/net")[1].split())


def _second(address):
    subnet = ports.subnet("10.30.0.0/24", address, "10.30.0.1")
    return ports.vif(subnets=[subnet])


def test_an_interface_is_attached_and_detached(net, host, pair):
    (one, two), _ = pair
    first, second = _second("10.30.0.5"), _second("10.30.0.6")
    net.driver.attach_interface(net.context, one, net.image, first)
    net.driver.attach_interface(net.context, two, net.image, second)
    assert _interfaces(net, one) == ["eth0", "eth1", "lo"]
    traffic.wait_for_ping(net, one, "10.30.0.6")
    net.driver.detach_interface(net.context, one, first)
    assert _interfaces(net, one) == ["eth0", "lo"]
    assert first["devname"] not in host.ports()
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_server_that_was_booted_without_ports_gets_one(net, host, pair):
    (one, _), _ = pair
    instance, vif = net.boot(), ports.vif("10.20.0.7")
    net.driver.attach_interface(net.context, instance, net.image, vif)
    traffic.wait_for_ping(net, one, "10.20.0.7")
    net.driver.reboot(net.context, instance, ports.info(vif), "HARD")
    traffic.wait_for_ping(net, one, "10.20.0.7")
    net.destroy(instance)
    assert vif["devname"] not in host.ports()


def test_a_server_that_is_stopped_gets_it_when_it_starts(net, pair):
    (one, _), (vif, _) = pair
    more = _second("10.30.0.5")
    net.driver.power_off(one, timeout=5)
    net.driver.attach_interface(net.context, one, net.image, more)
    net.driver.power_on(net.context, one, ports.info(vif, more))
    assert _interfaces(net, one) == ["eth0", "eth1", "lo"]


def test_a_port_that_was_never_plugged_is_detached(net, pair):
    (one, _), _ = pair
    net.driver.detach_interface(net.context, one, _second("10.30.0.5"))
    assert _interfaces(net, one) == ["eth0", "lo"]


@pytest.mark.parametrize("kind", ["unbound", "binding_failed", "vhostuser", "macvtap", "tap", "x"])
def test_a_port_that_cannot_be_served_is_refused(net, pair, kind):
    (one, _), _ = pair
    with pytest.raises(errors.PlugFailed, match=kind):
        net.driver.attach_interface(net.context, one, net.image, ports.vif(type=kind))
    assert _interfaces(net, one) == ["eth0", "lo"]
    assert list(records.of(one.uuid)) == ["eth0"]


def test_forty_interfaces(net, host):
    vifs = [
        ports.vif(subnets=[ports.subnet(f"10.{n}.0.0/24", f"10.{n}.0.5", f"10.{n}.0.1")])
        for n in range(40)
    ]
    instance = net.instance()
    net.spawn(instance, network_info=ports.info(*vifs))
    assert len(_interfaces(net, instance)) == 41
    routes = net.run(instance, "route -n")[1]
    assert routes.count("UG") == 40
    assert [line.split()[7] for line in routes.splitlines() if "UG    100 " in line] == ["eth0"]
    net.destroy(instance)
    assert host.remainder() == []


def test_ipv6_alone(net):
    instances = [net.instance(), net.instance()]
    for instance, address in zip(instances, ("2001:db8::5", "2001:db8::6"), strict=True):
        net.spawn(instance, network_info=ports.info(ports.vif(address)))
    one, two = instances
    traffic.wait_for_ping(net, one, "2001:db8::6")
    assert "2001:db8::5" in net.run(one, "cat /etc/hosts")[1]
    assert "2001:db8::1" in traffic.inside(net, two, "ip", "-6", "route").stdout
    for instance in instances:
        net.destroy(instance)


def test_an_mtu_of_68(net):
    instances = [net.instance(), net.instance()]
    for instance, address in zip(instances, ("10.20.0.5", "10.20.0.6"), strict=True):
        net.spawn(instance, network_info=ports.info(ports.vif(address, mtu=68)))
    one, two = instances
    assert net.run(one, "cat /sys/class/net/eth0/mtu")[1] == "68\n"
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert traffic.receives(net, one, two, "10.20.0.6")
    for instance in instances:
        net.destroy(instance)


def test_a_port_without_an_address(net, pair):
    (one, _), _ = pair
    vif = ports.vif(subnets=[])
    assert isinstance(vif, model.VIF)
    net.driver.attach_interface(net.context, one, net.image, vif)
    assert _interfaces(net, one) == ["eth0", "eth1", "lo"]
