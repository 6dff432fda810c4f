# SPDX-License-Identifier: Apache-2.0
"""Servers on one network reach each other from host to host, and are reached from outside."""

import collections.abc
import dataclasses
import functools
import typing
import uuid

import pytest

from tests.cloud.site import COMPUTE2, CONTROLLER, NETWORKS
from tests.cloud.users import FOLDER, CloudOfHosts, wait_for

pytestmark = pytest.mark.skipif(not NETWORKS, reason="this cloud has no networks")

#: Where the image has a server's region work for whoever connects.
PORT = 9000
NETWORK, EXTERNAL = "demo", "public"

#: More than one frame of any size, and what the region makes of it is much smaller.
SIZE = 100_000

#: The client beyond the router: a namespace on the gateway, with an external address.
CLIENT = """
set -e
ip netns add outside
ip link add outside type veth peer name eth0 netns outside
ip -n outside address add 172.24.4.1/24 dev eth0
ip -n outside link set eth0 up
ip netns exec outside ethtool -K eth0 tx off > /dev/null
ip link set outside up
"""
#: Sends zeros to an address and prints how many bytes come back.
SENDER = """
import socket, sys
address, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.create_connection((address, port), timeout=5) as connection:
    connection.sendall(bytes(size))
    connection.shutdown(socket.SHUT_WR)
    print(sum(len(part) for part in iter(lambda: connection.recv(65536), b"")))
"""
VSCTL = f"ovs-vsctl --db=unix:{FOLDER}/run/openvswitch/db.sock"
#: The port of OVN's southbound database, the files of the hosts that it lets in, and their options.
SOUTHBOUND = 24779
TLS = f"{FOLDER}/etc/ovn"
KEYS = f"-p {TLS}/key.pem -c {TLS}/cert.pem -C {TLS}/ca.pem"

SWITCH = {
    "the switch starts again": "systemctl restart fpga-nova-ovs-vswitchd",
    "the switch is killed": "pkill -9 ovs-vswitchd",
    "the switch's database starts again": "systemctl restart fpga-nova-ovsdb",
    "OVN's controller is killed": "pkill -9 ovn-controller",
}


#: Prints the metadata of the server that asks. The service answers only while the request's side of
#: the connection is open.
METADATA = (
    '(printf "GET /openstack/latest/meta_data.json HTTP/1.0\\r\\n\\r\\n"; sleep 3) '
    "| nc -w 5 169.254.169.254 80"
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A server with a region on compute1, and an ordinary one on compute2."""

    cloud: CloudOfHosts
    fpga: str
    plain: str

    def port(self, server: str) -> typing.Any:
        """The port of a server."""
        (found,) = self.cloud.api.network.ports(device_id=server)
        return found

    def inside(self, host: str, server: str, line: str) -> str:
        """What a line of shell prints in a server's container."""
        return self.cloud.docker(host, f"exec nova-{server} sh -c '{line}'")

    def works(self) -> bool:
        """Whether a file comes back compressed, from host to host."""
        address = self.port(self.fpga).fixed_ips[0]["ip_address"]
        line = f"head -c {SIZE} /dev/zero | nc -w 5 {address} {PORT} | wc -c"
        return 0 < int(self.inside("compute2", self.plain, line)) < SIZE / 10

    def has_metadata(self, host: str, server: str) -> bool:
        """Whether the metadata that a server gets are its own."""
        return server in self.inside(host, server, METADATA)

    def answers_outside(self, address: str) -> bool:
        """Whether the server with a region works for the client beyond the router."""
        program = f"ip netns exec outside python3 -c '{SENDER}' {address} {PORT} {SIZE}"
        answer = self.cloud.site.ssh("compute1", program, check=False).stdout
        return 0 < int(answer or 0) < SIZE / 10


@pytest.fixture(scope="module")
def pair(cloud: CloudOfHosts) -> collections.abc.Iterator[Pair]:
    """Two servers on the network that the cloud has for its user."""
    cloud.delete(*cloud.servers())
    asked = [{"uuid": cloud.api.network.find_network(NETWORK, ignore_missing=False).id}]
    fpga = cloud.create("fpga-lzo", "compute1", asked)
    plain = cloud.create("small", "compute2", asked)
    for server in (fpga, plain):
        assert cloud.settled(server).status == "ACTIVE", cloud.fault(server)
    yield Pair(cloud, fpga, plain)
    cloud.delete(fpga, plain)
    assert not list(cloud.api.network.ports(device_id=[fpga, plain]))
    for host in ("compute1", "compute2"):
        wait_for("no interface is there", functools.partial(_is_bare, cloud, host))


@pytest.fixture
def no_servers() -> None:
    """The servers of the module stay from test to test."""


def _is_bare(cloud: CloudOfHosts, host: str) -> bool:
    """Whether a host has no interface but those of its own and of the metadata service."""
    lines = cloud.site.ask(host, "ip -oneline link").splitlines()
    return not [line for line in lines if ": tap" in line and "ovnmeta" not in line]


@pytest.fixture
def floating(pair: Pair) -> collections.abc.Iterator[str]:
    """A floating address of the server with a region, and a client that could reach it."""
    cloud, network = pair.cloud, pair.cloud.api.network
    cloud.site.ask("compute1", f"{CLIENT}{VSCTL} add-port br-ex outside")
    external = network.find_network(EXTERNAL, ignore_missing=False)
    found = network.create_ip(floating_network_id=external.id, port_id=pair.port(pair.fpga).id)
    yield str(found.floating_ip_address)
    network.delete_ip(found)
    cloud.site.ask("compute1", f"{VSCTL} del-port br-ex outside; ip netns delete outside")


@pytest.fixture
def opened(pair: Pair) -> collections.abc.Iterator[collections.abc.Callable[[], None]]:
    """Opens the port of the service to everybody, until the end of the test."""
    network, rules = pair.cloud.api.network, list[typing.Any]()

    def open_it() -> None:
        rules.append(
            network.create_security_group_rule(
                security_group_id=pair.port(pair.fpga).security_group_ids[0],
                direction="ingress",
                ethertype="IPv4",
                protocol="tcp",
                port_range_min=PORT,
                port_range_max=PORT,
            )
        )

    yield open_it
    for rule in rules:
        network.delete_security_group_rule(rule)


def test_file_comes_back_compressed_from_another_host(pair: Pair) -> None:
    assert pair.works()


def test_frames_between_the_hosts_are_in_tunnels(pair: Pair) -> None:
    tunnels = pair.cloud.site.ask(
        "compute1", f"{VSCTL} --columns=options find Interface type=geneve"
    )
    assert pair.cloud.site.tunnel(COMPUTE2).partition("/")[0] in tunnels


def southbound(pair: Pair, words: str, scheme: str = "ssl") -> typing.Any:
    """What compute1 gets of OVN's southbound database."""
    database = f"--db={scheme}:{pair.cloud.site.address(CONTROLLER)}:{SOUTHBOUND}"
    return pair.cloud.site.ssh("compute1", f"ovn-sbctl --timeout=20 {database} {words}", False)


def test_host_without_a_certificate_does_not_reach_ovn(pair: Pair) -> None:
    assert southbound(pair, f"{KEYS} show").returncode == 0
    assert southbound(pair, "show").returncode
    assert southbound(pair, "show", "tcp").returncode


def test_certificate_of_a_host_changes_no_other_chassis(pair: Pair) -> None:
    for host, status in {"compute1": 0, "compute2": 1}.items():
        done = southbound(pair, f"{KEYS} set Chassis {host} external_ids:test=1")
        assert done.returncode == status, done.stderr
        assert ("permission error" in done.stderr) == bool(status)
    assert southbound(pair, f"{KEYS} remove Chassis compute1 external_ids test").returncode == 0


def test_hosts_get_certificates_of_a_new_authority(pair: Pair) -> None:
    site, stolen = pair.cloud.site, "-p /root/key.pem -c /root/cert.pem"
    site.ask("compute1", f"cp {TLS}/*.pem /root")
    site.ask("controller", f"rm -r {FOLDER}/etc/ovn-authority")
    site.up()
    wait_for("the network is whole", pair.works, 60)
    assert southbound(pair, f"{KEYS} show").returncode == 0
    assert southbound(pair, f"{stolen} -C {TLS}/ca.pem show").returncode
    site.ask("compute1", "rm /root/*.pem")


def test_security_group_keeps_another_group_out_on_both_hosts(
    pair: Pair, opened: collections.abc.Callable[[], None]
) -> None:
    network = pair.cloud.api.network
    port = pair.port(pair.plain)
    groups = port.security_group_ids
    other = network.create_security_group(name=f"e2e-{uuid.uuid4().hex[:8]}")
    try:
        network.update_port(port, security_group_ids=[other.id])
        wait_for("the group counts", lambda: not pair.works(), 30)
        opened()
        wait_for("the rule counts", pair.works, 30)
    finally:
        network.update_port(port, security_group_ids=groups)
        network.delete_security_group(other)


def test_client_beyond_the_router_is_let_in_by_a_rule(
    pair: Pair, floating: str, opened: collections.abc.Callable[[], None]
) -> None:
    assert not pair.answers_outside(floating)
    opened()
    wait_for("the client is let in", lambda: pair.answers_outside(floating), 30)


def test_metadata_are_those_of_the_server_on_each_host(pair: Pair) -> None:
    for host, server in (("compute1", pair.fpga), ("compute2", pair.plain)):
        wait_for("its metadata", functools.partial(pair.has_metadata, host, server), 60)


@pytest.mark.parametrize("address", ["management", "tunnels"])
def test_container_reaches_no_address_of_its_host(pair: Pair, address: str) -> None:
    site = pair.cloud.site
    target = site.address(COMPUTE2) if address == "management" else site.tunnel(COMPUTE2)
    line = f"nc -w 3 {target.partition('/')[0]} 22 < /dev/null; echo $?"
    assert pair.inside("compute2", pair.plain, line) == "1"


@pytest.mark.parametrize("line", SWITCH.values(), ids=SWITCH.keys())
@pytest.mark.parametrize("host", ["compute1", "compute2"])
def test_network_heals_after(pair: Pair, host: str, line: str) -> None:
    pair.cloud.site.ask(host, line)
    wait_for("the network is whole", pair.works, 60)


def test_host_that_reboots_has_its_servers_on_the_network_again(pair: Pair) -> None:
    pair.cloud.site.hosts("reboot", "compute1")
    wait_for("the network is whole", pair.works, 400)
    assert pair.cloud.settled(pair.fpga).status == "ACTIVE"


def test_host_that_loses_its_power_has_its_servers_on_the_network_again(pair: Pair) -> None:
    pair.cloud.site.hosts("kill", "compute2")
    pair.cloud.site.hosts("start", "compute2")
    wait_for("the network is whole", pair.works, 400)
    assert pair.cloud.settled(pair.plain).status == "ACTIVE"
