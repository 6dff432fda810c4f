# SPDX-License-Identifier: Apache-2.0
"""Containers on the networks of a real Neutron with OVN, which a user makes and takes away."""

import concurrent.futures
import os
import signal
import time

import openstack.exceptions
import pytest

from tests.e2e import remainder
from tests.e2e.networks import PORT, Networks
from tests.support.host import wait_until

ALL = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))
#: Interfaces of one server, and servers: ``make faults`` has many, pytest by itself a few.
MANY = 40 if ALL else 8
BOOTS = 100 if ALL else 6
AT_ONCE = 3

#: Prints the metadata of the server that asks. The service answers only while the request's side of
#: the connection is open.
METADATA = """
(printf 'GET /openstack/latest/meta_data.json HTTP/1.0\\r\\n\\r\\n'; sleep 3) |
    nc -w 5 169.254.169.254 80
"""


def test_interfaces_have_the_addresses_of_their_ports(networks: Networks) -> None:
    both = networks.network("10.31.0.0/24", "fd31::/64", mtu=1400)
    six = networks.network("fd32::/64")
    group = networks.group()
    networks.open(group, PORT, 6)
    first, second = networks.boot(both, six), networks.create([{"port": networks.port(
        six, security_group_ids=[group]
    ).id}])  # fmt: skip
    networks.active(second)
    shown = networks.inside(first, "ip addr")
    for address in networks.cloud.addresses(first):
        assert f" {address}/" in shown
    assert "eth0" in shown
    assert "eth1" in shown
    assert "mtu 1400" in shown
    networks.serve(second)
    (address,) = networks.cloud.addresses(second)
    wait_until(lambda: networks.reaches(first, address), 10)


def test_security_groups_close_and_open_both_directions(networks: Networks) -> None:
    network, group = networks.network("10.33.0.0/24"), networks.group()
    server = networks.create([{"port": networks.port(network, security_group_ids=[group]).id}])
    networks.active(server)
    client = networks.boot(network)
    networks.serve(server)
    (address,) = networks.cloud.addresses(server)
    assert not networks.reaches(client, address)
    networks.open(group, PORT)
    wait_until(lambda: networks.reaches(client, address), 10)
    (port,) = networks.api.ports(device_id=client)
    closed = networks.group()
    for out in networks.api.security_group_rules(security_group_id=closed):
        networks.api.delete_security_group_rule(out)
    networks.api.update_port(port, security_group_ids=[closed])
    wait_until(lambda: not networks.reaches(client, address), 10)
    with pytest.raises(openstack.exceptions.ConflictException):
        networks.api.delete_security_group(closed, ignore_missing=False)
    networks.api.update_port(port, security_group_ids=[group])


def test_forged_addresses_get_nowhere(networks: Networks) -> None:
    network = networks.network("10.34.0.0/24")
    server, forger = networks.boot(network), networks.boot(network)
    networks.serve(server)
    (address,) = networks.cloud.addresses(server)
    assert networks.reaches(forger, address)
    (own,) = networks.cloud.addresses(forger)
    networks.change(forger, "address add 10.34.0.250/24 dev eth0")
    networks.change(forger, f"address delete {own}/24 dev eth0")
    assert not networks.reaches(forger, address)
    networks.change(forger, f"address add {own}/24 dev eth0")
    wait_until(lambda: networks.reaches(forger, address), 10)
    networks.change(forger, "link set eth0 address 02:00:00:00:00:99")
    assert not networks.reaches(forger, address)


def test_interface_comes_and_goes_while_the_server_runs(networks: Networks) -> None:
    first, second = networks.network("10.35.0.0/24"), networks.network("10.36.0.0/24")
    server, other = networks.boot(first), networks.boot(second)
    networks.serve(other)
    (address,) = networks.cloud.addresses(other)
    compute = networks.cloud.api.compute
    interface = compute.create_server_interface(server, net_id=second)
    wait_until(lambda: networks.reaches(server, address), 20)
    compute.delete_server_interface(interface.port_id, server)
    wait_until(lambda: "eth1" not in networks.inside(server, "ip link"), 20)
    assert "eth0" in networks.inside(server, "ip link")


def test_port_of_a_user_that_names_a_server_changes_nothing(networks: Networks) -> None:
    network = networks.network("10.37.0.0/24")
    server = networks.boot(network)
    networks.port(network, device_id=server, device_owner="compute:nova")
    compute = networks.cloud.api.compute
    compute.reboot_server(server, "HARD")
    time.sleep(1)
    networks.active(server)
    shown = networks.inside(server, "ip link")
    assert "eth0" in shown
    assert "eth1" not in shown


@pytest.mark.parametrize(
    ("daemon", "traffic_goes_on"), [("ovn-controller", True), ("ovs-vswitchd", False)]
)
def test_network_is_whole_after_a_restart_of(
    networks: Networks, daemon: str, traffic_goes_on: bool
) -> None:
    network = networks.network("10.38.0.0/24")
    server, client = networks.boot(network), networks.boot(network)
    networks.serve(server)
    (address,) = networks.cloud.addresses(server)
    assert networks.reaches(client, address)
    os.kill(networks.cloud.pid(daemon), signal.SIGKILL)
    assert networks.reaches(client, address) == traffic_goes_on
    networks.cloud.start(daemon)
    wait_until(lambda: networks.reaches(client, address), 30)


def test_server_without_an_address_left_says_so(networks: Networks) -> None:
    network = networks.network()
    pool = [{"start": "10.39.0.10", "end": "10.39.0.10"}]
    networks.subnet(network, cidr="10.39.0.0/24", ip_version=4, allocation_pools=pool)
    networks.boot(network)
    second = networks.create([{"uuid": network}])
    assert networks.cloud.wait(second, {"ACTIVE", "ERROR"}).status == "ERROR"
    assert "address" in networks.cloud.fault(second).lower()


def test_project_with_several_networks_is_asked_to_choose(networks: Networks) -> None:
    networks.network("10.40.0.0/24")
    with pytest.raises(openstack.exceptions.ConflictException, match="Multiple possible networks"):
        networks.create("auto")  # type: ignore[arg-type]


def test_smallest_mtu_and_many_interfaces(networks: Networks) -> None:
    small = networks.network("10.41.0.0/24", mtu=68)
    server = networks.boot(*[small] * MANY)
    shown = networks.inside(server, "ip link")
    assert shown.count("mtu 68 ") == MANY
    assert f"eth{MANY - 1}" in shown


@pytest.mark.parametrize("routed", [True, False], ids=["with a router", "without a router"])
def test_metadata_are_those_of_the_server(networks: Networks, routed: bool) -> None:
    network = networks.network()
    networks.subnet(
        network, cidr="10.42.0.0/24", ip_version=4, is_dhcp_enabled=True, gateway_ip="10.42.0.1"
    )
    if routed:
        networks.router(network)
    server = networks.boot(network)
    wait_until(lambda: server in networks.inside(server, METADATA), 30)


def test_boots_and_deletes_leave_nothing(networks: Networks, no_quota: None) -> None:
    """The fixture compares all else that is there before and after."""
    flows = remainder.of(networks.cloud)["flows"]
    network = networks.network("10.43.0.0/24")

    def live(_number: int) -> None:
        networks.delete(networks.boot(network))

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(live, range(BOOTS)))
    networks.close()
    remainder.check(networks.cloud, {"flows": flows})
