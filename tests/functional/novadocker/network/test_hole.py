# SPDX-License-Identifier: Apache-2.0
"""What a container sends to the host's end of its interface reaches no socket of the host."""

import contextlib
import sys
import time

import pytest

from tests.functional.novadocker.network import ports, traffic

_HOST = "203.0.113.9"
_LISTENER = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{_HOST}", 7001))
s.settimeout(4)
print("ready", flush=True)
try:
    print(s.recv(64).decode(), flush=True)
except TimeoutError:
    print("nothing", flush=True)
"""

_SENDER = f"""
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"intruder", ("{_HOST}", 7001))
"""


@contextlib.contextmanager
def _address_of_the_host(host):
    host.on_host(
        f"ip link add dummyhost type veth peer name dummypeer && "
        f"ip addr add {_HOST}/24 dev dummyhost && ip link set dummyhost up && "
        "ip link set dummypeer up"
    )
    try:
        yield
    finally:
        host.on_host("ip link del dummyhost")


def _received(net, host, instance, device):
    """What a socket of the host gets of a container that names a device of the host a neighbour."""
    mac = host.on_host(f"cat /sys/class/net/{device}/address").strip()
    for line in (
        f"ip neigh replace {_HOST} lladdr {mac} dev eth0 nud permanent",
        f"ip route replace {_HOST}/32 dev eth0",
    ):
        done = traffic.inside(net, instance, *line.split())
        assert done.returncode == 0, done.stderr
    listener = host.popen_on_host(sys.executable, "-c", _LISTENER)
    assert listener.stdout
    assert listener.stdout.readline() == b"ready\n"
    for _ in range(5):
        assert traffic.inside(net, instance, sys.executable, "-c", _SENDER).returncode == 0
        time.sleep(0.1)
    return listener.communicate(timeout=20)[0].decode().strip()


#: Devices of the host that a container reaches: its own end; with a hybrid plug the bridge and the
#: switch's port.
DEVICES = ["tap", "qbr", "qvo"]


@pytest.fixture(params=DEVICES)
def intruder(net, host, request):
    instance = net.instance()
    vif = ports.hybrid("10.20.0.5") if request.param != "tap" else ports.vif("10.20.0.5")
    net.spawn(instance, network_info=ports.info(vif))
    # The host has no route back that its reverse path filter would take.
    host.on_host("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    with _address_of_the_host(host):
        yield instance, vif, vif["devname"].replace("tap", request.param)
    net.destroy(instance)


def test_a_static_neighbour_reaches_no_socket_of_the_host(net, host, intruder):
    instance, _, device = intruder
    assert _received(net, host, instance, device) == "nothing"


def test_the_chain_is_what_closes_it(net, host, intruder):
    """Without it the packets arrive, so that the other test can fail."""
    instance, vif, device = intruder
    host.on_host(f"nft delete table netdev fpga-nova-{vif['devname']}")
    assert _received(net, host, instance, device) == "intruder"


@pytest.mark.parametrize("before", ["nft flush ruleset", "true"])
def test_a_start_of_nova_compute_makes_the_chain_anew(net, host, intruder, before):
    instance, vif, device = intruder
    host.on_host(before)
    net.driver.plug_vifs(instance, ports.info(vif))
    ruleset = host.on_host("nft list ruleset")
    assert ruleset.count(f'hook ingress device "{device}" priority filter; policy drop') == 1


def test_the_bridge_of_the_kernels_datapath_gets_a_chain_and_the_switch_none(net, host):
    instance, vif = net.instance(), ports.hybrid("10.20.0.5", datapath_type="system")
    # The bridge is one of the userspace datapath still: os-vif would change it, so it is put back.
    try:
        net.spawn(instance, network_info=ports.info(vif))
        ruleset = host.on_host("nft list ruleset")
        assert ruleset.count("hook ingress") == 1
        assert f'device "{vif["devname"].replace("tap", "qbr")}"' in ruleset
        net.destroy(instance)
    finally:
        host.vsctl("set", "bridge", "br-int", "datapath_type=netdev")


def test_the_kernels_datapath_gets_no_chain(net, host):
    """This kernel does not have it: nothing goes through."""
    instance = net.instance()
    details = {"port_filter": True, "datapath_type": "system"}
    vif = ports.vif("10.20.0.5", details=details)
    # The bridge is one of the userspace datapath still: os-vif would change it, so it is put back.
    try:
        net.spawn(instance, network_info=ports.info(vif))
        assert host.on_host("nft list tables") == ""
        net.destroy(instance)
    finally:
        host.vsctl("set", "bridge", "br-int", "datapath_type=netdev")
