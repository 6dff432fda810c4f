# SPDX-License-Identifier: Apache-2.0
"""The hybrid plug of ML2/OVS: a Linux bridge between a container's interface and a real switch."""

import pytest

from tests.functional.novadocker.network import ports, traffic


@pytest.fixture
def hybrids(net):
    """Two servers on one network, behind a bridge each."""
    yield from ports.served(net, ports.hybrid("10.20.0.5"), ports.hybrid("10.20.0.6"))


def _members(host, vif):
    bridge = vif["devname"].replace("tap", "qbr")
    return sorted(host.on_host(f"ls /sys/class/net/{bridge}/brif").split())


def _expected(vif):
    return [vif["devname"].replace("tap", "qvb"), vif["devname"]]


def test_servers_ping_and_exchange_data_over_their_bridges(net, host, hybrids):
    (one, two), (vif, _) = hybrids
    assert _members(host, vif) == _expected(vif)
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert traffic.receives(net, one, two, "10.20.0.6")


def test_a_hard_reboot_makes_the_bridge_anew(net, host, hybrids):
    (one, _), (vif, _) = hybrids
    net.driver.reboot(net.context, one, ports.info(vif), "HARD")
    assert _members(host, vif) == _expected(vif)
    traffic.wait_for_ping(net, one, "10.20.0.6")


@pytest.mark.parametrize("gone", ["tap", "qbr", "qvo"])
def test_a_start_of_nova_compute_mends_what_is_gone(net, host, hybrids, gone):
    (one, _), (vif, _) = hybrids
    host.on_host(f"ip link del {vif['devname'].replace('tap', gone)}")
    net.driver.plug_vifs(one, ports.info(vif))
    assert _members(host, vif) == _expected(vif)
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_detached_interface_leaves_neither_bridge_nor_port(net, host, hybrids):
    (one, _), (_, other) = hybrids
    more = ports.hybrid("10.20.0.7")
    net.driver.attach_interface(net.context, one, net.image, more)
    assert _members(host, more) == _expected(more)
    net.driver.detach_interface(net.context, one, more)
    tail = more["devname"].removeprefix("tap")
    assert not [name for name in host.remainder() if tail in name]
    assert _members(host, other) == _expected(other)
