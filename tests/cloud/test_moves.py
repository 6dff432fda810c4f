# SPDX-License-Identifier: Apache-2.0
"""Servers are migrated and resized between hosts, with their files, networks and regions."""

import collections.abc
import functools
import typing

import pytest

from tests.cloud.site import NETWORKS
from tests.cloud.test_networks import METADATA, NETWORK
from tests.cloud.users import FOLDER, CloudOfHosts, wait_for

#: What a server writes, and the port at which it gives that to whoever connects.
TEXT, PORT = "kept", 7000
SERVE = f"while true; do nc -l -p {PORT} < /file; done"


class Mover:
    """A cloud whose servers move.

    :param cloud: it
    """

    def __init__(self, cloud: CloudOfHosts) -> None:
        self.cloud = cloud

    def boot(self, flavor: str, host: str, networked: bool = False) -> str:
        """A server that wrote a file."""
        networks: typing.Any = "none"
        if networked:
            network = self.cloud.api.network.find_network(NETWORK, ignore_missing=False)
            networks = [{"uuid": network.id}]
        server = self.cloud.create(flavor, host, networks)
        assert self.cloud.settled(server).status == "ACTIVE", self.cloud.fault(server)
        self.inside(host, server, f"echo {TEXT} > /file")
        return server

    def inside(self, host: str, server: str, line: str, options: str = "") -> str:
        """What a line of shell prints in a server's container."""
        return self.cloud.docker(host, f"exec {options} nova-{server} sh -c '{line}'")

    def migrate(self, server: str, host: str) -> None:
        """Have a server move to a host, and wait until somebody has to confirm it."""
        self.cloud.act(server, {"migrate": {"host": host}})
        self.moved(server, host)

    def moved(self, server: str, host: str) -> None:
        """Wait until a server was moved to a host, and is to be confirmed."""
        found = self.cloud.settled(server, "VERIFY_RESIZE", "ERROR")
        assert found.status == "VERIFY_RESIZE", self.cloud.fault(server)
        assert found.compute_host == host

    def resize(self, server: str, flavor: str) -> None:
        """Ask for another flavor."""
        found = self.cloud.api.compute.find_flavor(flavor, ignore_missing=False)
        self.cloud.act(server, {"resize": {"flavorRef": found.id}})

    def end(self, server: str, action: str) -> None:
        """Confirm (confirmResize) or revert (revertResize)."""
        self.cloud.act(server, {action: None})
        assert self.cloud.settled(server).status == "ACTIVE", self.cloud.fault(server)

    def carriers(self) -> list[str]:
        """The names of the images that carry files between hosts."""
        listed = self.cloud.client("openstack image list --hidden -f value -c Name").stdout
        return [name for name in listed.splitlines() if name.startswith("move-of-")]

    def is_clean(self) -> bool:
        """Whether nothing is left of moves."""
        return self.cloud.is_clean("compute1", "compute2") and not self.carriers()

    def serves(self, host: str, client: str, server: str) -> bool:
        """Whether a client on a host gets a server's file from it."""
        (port,) = self.cloud.api.network.ports(device_id=server)
        address = port.fixed_ips[0]["ip_address"]
        return self.inside(host, client, f"nc -w 5 {address} {PORT} < /dev/null") == TEXT

    def has_metadata(self, host: str, server: str) -> bool:
        """Whether a server gets its own metadata over its network."""
        return server in self.inside(host, server, METADATA)

    def faults(self, server: str) -> str:
        """What went wrong with the last action on a server."""
        url = f"/servers/{server}/os-instance-actions"
        compute = self.cloud.api.compute
        last = compute.get(url, microversion="2.93").json()["instanceActions"][0]
        found = compute.get(f"{url}/{last['request_id']}", microversion="2.93").json()
        events = found["instanceAction"]["events"]
        return " ".join(f"{one['result']} {one.get('details')}" for one in events)


@pytest.fixture
def mover(cloud: CloudOfHosts) -> collections.abc.Iterator[Mover]:
    """What moves servers; nothing is left of them."""
    mover = Mover(cloud)
    yield mover
    cloud.delete(*cloud.servers())
    wait_for("nothing is left", mover.is_clean)


@pytest.fixture
def flavors(cloud: CloudOfHosts) -> collections.abc.Iterator[tuple[str, str]]:
    """Larger flavors: an ordinary one, and one with the region of fpga-lzo."""
    compute, made_here = cloud.api.compute, []
    for name in ("small", "fpga-lzo"):
        old = compute.find_flavor(name, get_extra_specs=True)
        new = compute.create_flavor(
            name=f"large-{name}", ram=old.ram + 64, vcpus=old.vcpus, disk=old.disk + 1, swap=64
        )
        made_here.append(new)
        if old.extra_specs:
            compute.create_flavor_extra_specs(new, old.extra_specs)
    yield tuple(one.name for one in made_here)
    for one in made_here:
        compute.delete_flavor(one)


def limits(cloud: CloudOfHosts, host: str, server: str) -> list[int]:
    """The MiB of memory, and of memory and swap, of a server's container."""
    form = "--format '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}'"
    return [int(one) >> 20 for one in cloud.docker(host, f"inspect {form} nova-{server}").split()]


def test_server_that_is_migrated_has_its_files(mover: Mover) -> None:
    server = mover.boot("small", "compute1")
    mover.migrate(server, "compute2")
    assert mover.inside("compute2", server, "cat /file") == TEXT
    mover.end(server, "confirmResize")
    assert mover.cloud.containers("compute1") == set()
    assert mover.carriers() == []
    assert set(mover.cloud.allocations()[server]) == {"compute2"}


@pytest.mark.skipif(not NETWORKS, reason="this cloud has no networks")
@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_server_that_is_migrated_has_its_network(mover: Mover, end: str) -> None:
    server = mover.boot("small", "compute1", networked=True)
    client = mover.boot("small", "compute1", networked=True)
    mover.inside("compute1", server, SERVE, "--detach")
    wait_for("it serves", functools.partial(mover.serves, "compute1", client, server), 60)
    mover.migrate(server, "compute2")
    mover.inside("compute2", server, SERVE, "--detach")
    wait_for("it serves", functools.partial(mover.serves, "compute1", client, server), 60)
    wait_for("its metadata", functools.partial(mover.has_metadata, "compute2", server), 60)
    mover.end(server, end)
    host = "compute2" if end == "confirmResize" else "compute1"
    if end == "revertResize":
        mover.inside(host, server, SERVE, "--detach")
    wait_for("it serves", functools.partial(mover.serves, "compute1", client, server), 60)
    other = "compute1" if end == "confirmResize" else "compute2"
    names = mover.cloud.docker(other, "ps --all --format '{{.Names}}'")
    assert server not in names


def test_resize_to_another_host_is_reverted(mover: Mover, flavors: tuple[str, str]) -> None:
    cloud, compute = mover.cloud, mover.cloud.api.compute
    server = mover.boot("small", "compute1")
    before = limits(cloud, "compute1", server)
    compute.disable_service(cloud.service("compute1"), disabled_reason="test")
    try:
        mover.resize(server, flavors[0])
        mover.moved(server, "compute2")
    finally:
        compute.enable_service(cloud.service("compute1"))
    assert limits(cloud, "compute2", server) == [before[0] + 64, before[0] + 128]
    mover.end(server, "revertResize")
    assert limits(cloud, "compute1", server) == before
    assert mover.inside("compute1", server, "cat /file") == TEXT
    assert cloud.containers("compute2") == set()


def test_fpga_server_cannot_move_to_a_host_without_regions(mover: Mover) -> None:
    server = mover.boot("fpga-lzo", "compute1")
    mover.cloud.act(server, {"migrate": None})
    found = wait_for(
        "there is no host", lambda: "No valid host" in mover.faults(server) or None, 60
    )
    assert found
    assert mover.cloud.settled(server).status == "ACTIVE"
    assert 0 < mover.cloud.compressed("compute1", server) < 500


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
def test_fpga_server_is_resized_on_its_host(
    mover: Mover, flavors: tuple[str, str], end: str
) -> None:
    cloud = mover.cloud
    server = mover.boot("fpga-lzo", "compute1")
    before = limits(cloud, "compute1", server)[0]
    mover.resize(server, flavors[1])
    mover.moved(server, "compute1")
    assert 0 < cloud.compressed("compute1", server) < 500
    assert mover.inside("compute1", server, "cat /file") == TEXT
    mover.end(server, end)
    assert 0 < cloud.compressed("compute1", server) < 500
    assert mover.inside("compute1", server, "cat /file") == TEXT
    assert cloud.owners("compute1") == [server]
    assert limits(cloud, "compute1", server)[0] == before + 64 * (end == "confirmResize")


def test_server_is_reverted_to_a_host_that_was_rebooted(mover: Mover) -> None:
    server = mover.boot("small", "compute1")
    mover.migrate(server, "compute2")
    mover.cloud.site.hosts("reboot", "compute1")
    wait_for("compute1 is back", lambda: mover.cloud.is_up("compute1"), 400)
    mover.end(server, "revertResize")
    assert mover.inside("compute1", server, "cat /file") == TEXT


def test_server_whose_nova_compute_dies_while_it_sends_the_files_runs_on(mover: Mover) -> None:
    server = mover.boot("small", "compute1")
    mover.inside("compute1", server, "dd if=/dev/urandom of=/large bs=1M count=200")
    mover.cloud.act(server, {"migrate": {"host": "compute2"}})
    wait_for(
        "the files are on their way",
        lambda: mover.cloud.docker("compute1", f"ps -aq -f name={server} -f status=exited"),
    )
    main = "$(systemctl show --property=MainPID --value fpga-nova-nova-compute)"
    mover.cloud.site.ask("compute1", f"kill -9 {main}")
    assert mover.cloud.settled(server).status == "ACTIVE"
    wait_for("it runs", lambda: server in mover.cloud.containers("compute1", running=True))
    assert mover.inside("compute1", server, "cat /file") == TEXT
    wait_for("the carrier is gone", lambda: not mover.carriers())
    assert (
        mover.cloud.site.ask(
            "compute1", f"ls {FOLDER}/state/*/nova-compute/instances/{server}; true"
        )
        == ""
    )
    # Nova leaves the allocation of the migration (docs/lifecycle.md).
    for consumer in mover.cloud.allocations().keys() - {server}:
        mover.cloud.api.placement.delete(f"/allocations/{consumer}")
