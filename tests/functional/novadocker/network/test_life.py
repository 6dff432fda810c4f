# SPDX-License-Identifier: Apache-2.0
"""Networked servers from spawn to destroy: ping and TCP between containers on one bridge."""

import json

from tests.functional.novadocker.network import ports, traffic
from tests.support.host import wait_until


def test_servers_on_one_bridge_ping_and_exchange_data(net, pair):
    (one, two), _ = pair
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert traffic.receives(net, one, two, "10.20.0.6")


def test_the_network_is_there_before_the_first_process(net):
    net.image.properties.os_command_line = "sh -c 'ifconfig eth0; route -n; sleep 100'"
    instance = net.instance()
    net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5")))
    wait_until(lambda: b"169.254.169.254" in net.container(instance).logs())
    output = net.container(instance).logs().decode()
    assert "inet addr:10.20.0.5" in output
    assert "MTU:1442" in output
    assert "10.20.0.1" in output
    net.destroy(instance)


def test_names_are_there(net, pair):
    (one, _), _ = pair
    assert net.run(one, "hostname")[1] == f"{one.hostname}\n"
    assert "nameserver 192.0.2.53" in net.run(one, "cat /etc/resolv.conf")[1]
    assert f"10.20.0.5\t{one.hostname}" in net.run(one, "cat /etc/hosts")[1]


def test_the_switch_knows_the_port(net, host, pair):
    (one, _), (vif, _) = pair
    ids = host.vsctl("--format=json", "get", "interface", vif["devname"], "external_ids")
    assert f'iface-id="{vif["id"]}"' in ids
    assert f'attached-mac="{vif["address"]}"' in ids
    assert f'vm-uuid="{one.uuid}"' in ids
    assert vif["address"] in net.run(one, "ifconfig eth0")[1].lower()


def test_nothing_is_left_of_a_server(net, host):
    for _ in range(3):
        instance = net.instance()
        net.spawn(instance, network_info=ports.info(ports.vif("10.20.0.5"), ports.vif("10.20.0.6")))
        assert len(host.remainder()) == 6
        net.destroy(instance)
        assert host.remainder() == []
        assert net.client.containers.list(all=True) == []
        assert net.driver.list_instance_uuids() == []


def test_a_server_is_listed_once(net, pair):
    (one, two), _ = pair
    assert sorted(net.driver.list_instance_uuids()) == sorted([one.uuid, two.uuid])


def test_a_server_without_ports_has_no_sandbox(net):
    instance = net.boot()
    assert [c.name for c in net.client.containers.list(all=True)] == [f"nova-{instance.uuid}"]
    assert json.loads(net.run(instance, "ls /sys/class/net | wc -l")[1]) == 1
    net.destroy(instance)


def test_ping_needs_no_capability(net, pair):
    (one, _), _ = pair
    assert net.run(one, "cat /proc/sys/net/ipv4/ping_group_range") == (0, "0\t2147483647\n")
    host = net.container(one).attrs["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert "NET_RAW" not in {name.removeprefix("CAP_") for name in host["CapAdd"]}
