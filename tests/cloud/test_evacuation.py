# SPDX-License-Identifier: Apache-2.0
"""A host dies for good, and its servers move to one that joined the cloud later."""

import pytest

from tests.cloud.site import COMPUTE1, COMPUTE2, COMPUTE3, CONTROLLER
from tests.cloud.test_moves import TEXT, Mover
from tests.cloud.users import CloudOfHosts, counts, wait_for


def test_servers_of_a_dead_host_move_to_a_fourth_one(cloud: CloudOfHosts) -> None:
    servers = [cloud.boot("fpga-lzo"), cloud.boot("fpga-packbits"), cloud.boot("small", "compute1")]
    assert [one.compute_host for one in servers] == ["compute1"] * 3
    ids = [one.id for one in servers]

    cloud.site.describe(CONTROLLER, COMPUTE1, COMPUTE2, COMPUTE3)
    found = counts(cloud.site.up())
    assert found["compute3"][1] > 0
    assert {name: figures[2] for name, figures in found.items()} == dict.fromkeys(found, 0)
    assert cloud.is_up("compute3")

    cloud.site.hosts("kill", "compute1")
    cloud.force_down("compute1")
    for server in ids:
        cloud.client(f"nova evacuate {server}")
    for server in ids:
        # Since API 2.95 an evacuated server is stopped.
        cloud.settled(server, "SHUTOFF")
        cloud.api.compute.start_server(server)
        cloud.settled(server, "ACTIVE")
    moved = {server: cloud.api.compute.get_server(server).compute_host for server in ids}
    assert [moved[server] for server in ids[:2]] == ["compute3"] * 2
    assert moved[ids[2]] in ("compute2", "compute3")
    assert set(cloud.owners("compute3")) == set(ids[:2])
    assert all(0 < cloud.compressed("compute3", server) < 500 for server in ids[:2])

    cloud.site.hosts("start", "compute1")
    cloud.force_down("compute1", False)
    wait_for("the dead host is back", lambda: cloud.is_up("compute1"))
    wait_for("its regions are erased", lambda: cloud.owners("compute1") == [], 300)
    wait_for("its containers are gone", lambda: not cloud.containers("compute1"))
    assert cloud.containers("compute3", running=True) >= set(ids[:2])
    assert all(0 < cloud.compressed("compute3", server) < 500 for server in ids[:2])
    wait_for("allocations are on the new hosts", lambda: _allocated(cloud, moved))
    cloud.delete(*ids)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2", "compute3"))


def _allocated(cloud: CloudOfHosts, moved: dict[str, str]) -> bool:
    found = cloud.allocations()
    return all(found.get(server) == {host} for server, host in moved.items())


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_fpga_server_is_migrated_with_its_bitstream(cloud: CloudOfHosts, end: str) -> None:
    mover = Mover(cloud)
    server = mover.boot("fpga-lzo", "compute1")
    mover.migrate(server, "compute3")
    assert cloud.owners("compute1") == cloud.owners("compute3") == [server]
    assert 0 < cloud.compressed("compute3", server) < 500
    mover.end(server, end)
    hosts = ["compute1", "compute3"]
    here, there = hosts if end == "revertResize" else reversed(hosts)
    wait_for("the other region is erased", lambda: cloud.owners(there) == [])
    assert cloud.owners(here) == [server]
    assert 0 < cloud.compressed(here, server) < 500
    assert mover.inside(here, server, "cat /file") == TEXT
    cloud.delete(server)
    wait_for("nothing is left", lambda: cloud.is_clean(*hosts) and not mover.carriers())


def test_one_host_is_taken_out_of_the_cloud(cloud: CloudOfHosts) -> None:
    cloud.site.verb("down", "--limit", "compute3")
    assert cloud.service("compute3") is None
    cloud.site.hosts("kill", "compute3")
    cloud.site.describe(CONTROLLER, COMPUTE1, COMPUTE2)
    found = counts(cloud.site.verb("up").stdout)
    assert {name: figures[2] for name, figures in found.items()} == {
        "controller": 0,
        "compute1": 0,
        "compute2": 0,
    }
