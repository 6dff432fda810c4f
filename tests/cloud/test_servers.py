# SPDX-License-Identifier: Apache-2.0
"""Servers land on the hosts that can have them."""

from tests.cloud.users import CloudOfHosts, wait_for


def test_fpga_servers_land_on_the_fpga_host_until_it_is_full(cloud: CloudOfHosts) -> None:
    asked = [cloud.create(flavor) for flavor in ("fpga-lzo", "fpga-packbits")]
    ran = [cloud.settled(server, "ACTIVE") for server in asked]
    assert [one.compute_host for one in ran] == ["compute1"] * 2
    refused = cloud.boot("fpga-lzo")
    assert refused.status == "ERROR"
    assert "No valid host was found" in cloud.fault(refused.id)
    assert set(cloud.owners("compute1")) == {one.id for one in ran}
    assert cloud.containers("compute1", running=True) == {one.id for one in ran}
    assert all(0 < cloud.compressed("compute1", one.id) < 500 for one in ran)
    cloud.delete(refused.id, *asked)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2"))
    assert cloud.owners("compute1") == []


def test_ordinary_servers_run_on_any_host(cloud: CloudOfHosts) -> None:
    # The scheduler keeps hosts with free regions for those that want one, as far as it can: which
    # host it prefers depends on what else they have.
    asked = [cloud.create("small", host) for host in ("compute1", "compute2", None)]
    servers = [cloud.settled(server, "ACTIVE") for server in asked]
    hosts = [one.compute_host for one in servers]
    assert hosts[:2] == ["compute1", "compute2"]
    assert hosts[2] in hosts[:2]
    for host in ("compute1", "compute2"):
        assert cloud.containers(host, running=True) == {
            one.id for one in servers if one.compute_host == host
        }
    assert cloud.owners("compute1") == []
    cloud.delete(*asked)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2"))
