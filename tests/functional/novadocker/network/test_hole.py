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


def _received(net, host, instance, vif):
    """What a socket of the host gets of a container that names the host's end a neighbour."""
    mac = host.on_host(f"cat /sys/class/net/{vif['devname']}/address").strip()
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


@pytest.fixture
def intruder(net, host):
    instance, vif = net.instance(), ports.vif("10.20.0.5")
    net.spawn(instance, network_info=ports.info(vif))
    with _address_of_the_host(host):
        yield instance, vif
    net.destroy(instance)


def test_a_static_neighbour_reaches_no_socket_of_the_host(net, host, intruder):
    assert _received(net, host, *intruder) == "nothing"


def test_the_chain_is_what_closes_it(net, host, intruder):
    """Without it the packets arrive, so that the other test can fail."""
    _, vif = intruder
    host.on_host(f"nft delete table netdev fpga-nova-{vif['devname']}")
    # The host has no route back that its reverse path filter would take.
    host.on_host("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    assert _received(net, host, *intruder) == "intruder"


def test_a_start_of_nova_compute_makes_the_chain_anew(net, host, intruder):
    instance, vif = intruder
    host.on_host("nft flush ruleset")
    net.driver.plug_vifs(instance, ports.info(vif))
    assert f"fpga-nova-{vif['devname']}" in host.on_host("nft list tables")


@pytest.mark.parametrize("hybrid", [False, True])
def test_the_kernels_datapath_gets_no_chain(net, host, hybrid):
    """This kernel does not have it: nothing goes through."""
    instance = net.instance()
    details = {"port_filter": True, "datapath_type": "system", "ovs_hybrid_plug": hybrid}
    vif = ports.vif("10.20.0.5", details=details)
    # The bridge is one of the userspace datapath still: os-vif would change it, so it is put back.
    try:
        net.spawn(instance, network_info=ports.info(vif))
        assert host.on_host("nft list tables") == ""
        if hybrid:
            bridge = f"qbr{vif['devname'].removeprefix('tap')}"
            members = host.on_host(f"ls /sys/class/net/{bridge}/brif").split()
            assert members == [bridge.replace("qbr", "qvb"), vif["devname"]]
        net.destroy(instance)
    finally:
        host.vsctl("set", "bridge", "br-int", "datapath_type=netdev")
