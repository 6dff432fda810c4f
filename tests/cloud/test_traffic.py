# SPDX-License-Identifier: Apache-2.0
"""TCP from host to host: what two containers get of what two bare namespaces get.

The namespaces have ports of Neutron on the same switches, network and security group, so that all
frames take the same way. `make bench-network-hosts` runs this alone; `-s` prints the figures.
"""

import collections.abc
import contextlib
import typing

import pytest

from benchmarks import figures, traffic
from tests.cloud.site import NETWORKS, Site
from tests.cloud.test_networks import NETWORK, VSCTL
from tests.cloud.users import CloudOfHosts, wait_for

pytestmark = pytest.mark.skipif(not NETWORKS, reason="this cloud has no networks")

HOSTS = ("compute1", "compute2")

#: Turns of both pairs, and the seconds of each.
TURNS, SECONDS = 15, 3

#: The least part of the bare namespaces' throughput.
LEAST = 0.9

INSTALL = (
    "apt-get -qq update && "
    "DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends iperf3"
)

#: A namespace with one interface, as a container has it. Without the last line but one, the
#: userspace datapath passes on no TCP.
BARE = """
set -e
ip netns add bench
ip link add bench mtu {mtu} type veth peer name eth0 address {mac} mtu {mtu} netns bench
ip -n bench address add {address}/{length} dev eth0
ip -n bench link set eth0 up
ip netns exec bench ethtool -K eth0 tx off > /dev/null
ip link set bench up
{vsctl} add-port br-int bench -- set Interface bench external_ids:iface-id={port} \
    external_ids:attached-mac={mac} external_ids:iface-status=active
"""
REMOVE = f"{VSCTL} --if-exists del-port br-int bench; ip netns delete bench"


@pytest.fixture(scope="module")
def measurable(cloud: CloudOfHosts) -> CloudOfHosts:
    """The cloud, with iperf3 on its hosts."""
    for host in HOSTS:
        cloud.site.ask(host, INSTALL)
    return cloud


@contextlib.contextmanager
def bare(cloud: CloudOfHosts, network: typing.Any, host: str) -> collections.abc.Iterator[str]:
    """A namespace on a host's switch; its address."""
    neutron = cloud.api.network
    port = neutron.create_port(network_id=network.id, binding_host_id=host)
    (fixed,) = port.fixed_ips
    length = neutron.get_subnet(fixed["subnet_id"]).cidr.partition("/")[2]
    try:
        cloud.site.ask(
            host,
            BARE.format(
                mtu=network.mtu,
                mac=port.mac_address,
                address=fixed["ip_address"],
                length=length,
                vsctl=VSCTL,
                port=port.id,
            ),
        )
        wait_for("OVN has the port", lambda: neutron.get_port(port).status == "ACTIVE", 60)
        yield fixed["ip_address"]
    finally:
        cloud.site.ssh(host, REMOVE, check=False)
        neutron.delete_port(port)


@contextlib.contextmanager
def container(cloud: CloudOfHosts, network: typing.Any, host: str) -> typing.Iterator[list[str]]:
    """A server on a host; the words that enter its network, and its address."""
    server = cloud.create("small", host, [{"uuid": network.id}])
    try:
        assert cloud.settled(server).status == "ACTIVE", cloud.fault(server)
        (port,) = cloud.api.network.ports(device_id=server)
        pid = cloud.docker(host, f"inspect --format '{{{{.State.Pid}}}}' nova-{server}")
        yield [f"nsenter --target={pid} --net", port.fixed_ips[0]["ip_address"]]
    finally:
        cloud.delete(server)


def on(site: Site, host: str, words: str) -> str:
    """The words before a command that is to run on a host."""
    return f"ssh -n -F {site.hosts_folder}/ssh/config -o BatchMode=yes {host} {words}"


def test_containers_have_nearly_the_throughput_of_bare_namespaces(
    measurable: CloudOfHosts,
) -> None:
    cloud, site = measurable, measurable.site
    network = cloud.api.network.find_network(NETWORK, ignore_missing=False)
    with contextlib.ExitStack() as stack:
        address, _ = (stack.enter_context(bare(cloud, network, host)) for host in HOSTS)
        servers = [stack.enter_context(container(cloud, network, host)) for host in HOSTS]
        entries = zip(HOSTS, (words for words, _ in servers), strict=True)
        places = {
            "bare namespaces": traffic.Place(
                *(on(site, host, "ip netns exec bench") for host in HOSTS), address
            ),
            "containers": traffic.Place(
                *(on(site, host, words) for host, words in entries), servers[0][1]
            ),
        }
        found = traffic.compare(places, TURNS, SECONDS)
    figures.report(found, False, turns=TURNS, seconds=SECONDS)
    assert found["TCP, containers"]["ratio"] >= LEAST
