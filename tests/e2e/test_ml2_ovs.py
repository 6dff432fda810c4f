# SPDX-License-Identifier: Apache-2.0
"""Containers on networks of a real Neutron with ML2/OVS, once with each kind of plug."""

import pathlib
import typing

import pytest
from cloud import Cloud

from tests.e2e.ml2_ovs import BRIDGE, Ml2Ovs
from tests.e2e.networks import PORT, Networks
from tests.support.host import wait_until


@pytest.fixture(scope="module", params=["openvswitch", "iptables_hybrid"])
def firewall(cloud: Cloud, request: pytest.FixtureRequest) -> typing.Iterator[str]:
    """Neutron with ML2/OVS and this firewall driver, which chooses the plug."""
    (service,) = cloud.api.compute.services(binary="nova-compute", state="up")
    neutron = Ml2Ovs(cloud, service.host, request.param)
    try:
        neutron.start()
        yield request.param
    finally:
        neutron.stop()


def _port(networks: Networks, server: str) -> typing.Any:
    (port,) = networks.api.ports(device_id=server)
    return networks.cloud.api.network.get_port(port.id)


def test_servers_reach_each_other_at_the_addresses_of_their_ports(
    firewall: str, networks: Networks
) -> None:
    network = networks.network("10.71.0.0/24", "fd71::/64", mtu=1400)
    group = networks.group()
    networks.open(group, PORT, 4, 6)
    port = networks.port(network, security_group_ids=[group])
    server, client = networks.create([{"port": port.id}]), networks.boot(network)
    networks.active(server)
    networks.answers(server, client, network)
    assert "mtu 1400" in networks.inside(server, "ip link")


def test_plug_is_the_one_of_the_firewall_driver(firewall: str, networks: Networks) -> None:
    port = _port(networks, networks.boot(networks.network("10.72.0.0/24")))
    assert port.status == "ACTIVE"
    assert port.binding_vif_type == "ovs"
    assert port.binding_vif_details["bridge_name"] == BRIDGE
    hybrid = firewall == "iptables_hybrid"
    assert port.binding_vif_details["ovs_hybrid_plug"] is hybrid
    members = pathlib.Path(f"/sys/class/net/qbr{port.id[:11]}/brif")
    assert members.exists() is hybrid


def test_security_group_closes_and_opens(firewall: str, networks: Networks) -> None:
    if firewall != "openvswitch":
        pytest.skip("its rules would be in the machine's own tables")
    network, group = networks.network("10.73.0.0/24"), networks.group()
    server = networks.create([{"port": networks.port(network, security_group_ids=[group]).id}])
    networks.active(server)
    client = networks.boot(network)
    networks.serve(server)
    (address,) = networks.cloud.addresses(server)
    assert not networks.reaches(client, address)
    networks.open(group, PORT)
    wait_until(lambda: networks.reaches(client, address), 20)


def test_interface_comes_and_goes_while_the_server_runs(firewall: str, networks: Networks) -> None:
    first, second = networks.network("10.74.0.0/24"), networks.network("10.75.0.0/24")
    server, other = networks.boot(first), networks.boot(second)
    compute = networks.cloud.api.compute
    interface = compute.create_server_interface(server, net_id=second)
    networks.answers(other, server, second)
    compute.delete_server_interface(interface.port_id, server)
    wait_until(lambda: "eth1" not in networks.inside(server, "ip link"), 20)
    assert "eth0" in networks.inside(server, "ip link")


def test_stop_start_and_hard_reboot_bring_the_network_back(
    firewall: str, networks: Networks
) -> None:
    network = networks.network("10.76.0.0/24")
    server, client = networks.boot(network), networks.boot(network)
    compute = networks.cloud.api.compute
    compute.stop_server(server)
    networks.cloud.wait(server, {"SHUTOFF"})
    compute.start_server(server)
    networks.active(server)
    networks.answers(server, client, network)
    compute.reboot_server(server, "HARD")
    networks.cloud.wait(server, {"HARD_REBOOT"})
    networks.active(server)
    networks.answers(server, client, network)
