# SPDX-License-Identifier: Apache-2.0
"""Faults of a host's daemons and of Neutron while a server gets its network, with a real Neutron.

``make faults`` tries all points, pytest by itself a few.
"""

import os
import signal
import subprocess
import typing

import openstack.exceptions
import pytest

from tests.e2e import remainder
from tests.e2e.networks import Networks
from tests.e2e.nova_compute import MORTAL, NovaCompute
from tests.support.host import wait_until

ALL = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))

_SLOW = pytest.mark.skipif(not ALL, reason="make faults runs it")

#: The steps of a boot at which a daemon is killed, and those of a delete.
PLUG = ("make sandbox:before", "make interface:after", "plug port:after", "load image:after")
UNPLUG = ("remove sandbox:before", "remove interface:after", "unplug port:after")
DAEMONS = ("dockerd", "ovsdb", "ovs-vswitchd", "ovn-controller")


def _cases(points: tuple[str, ...], some: set[tuple[str, str]]) -> list[tuple[str, str]]:
    cases = [(daemon, point) for daemon in DAEMONS for point in points]
    return [case for case in cases if ALL or case in some]


def _dies(networks: Networks, daemon: str) -> None:
    os.kill(networks.cloud.pid(daemon), signal.SIGKILL)


def _fails(networks: Networks, server: str, before: remainder.Remainder) -> str:
    """Wait for a server that cannot be made and leaves nothing but its ports; its fault."""
    assert networks.cloud.wait(server, {"ACTIVE", "ERROR"}).status == "ERROR"
    on_host = {kind: names for kind, names in before.items() if kind not in ("ports", "flows")}
    remainder.check(networks.cloud, on_host)
    return networks.cloud.fault(server)


@pytest.mark.parametrize(
    ("daemon", "point"), _cases(PLUG, {("ovs-vswitchd", "make interface:after")})
)
def test_server_amid_whose_boot_a_daemon_dies_has_its_network_or_is_in_error(
    compute: NovaCompute, networks: Networks, daemon: str, point: str
) -> None:
    network = networks.network("10.53.0.0/24")
    compute.halt_at(point)
    server = networks.create([{"uuid": network}])
    compute.halted()
    _dies(networks, daemon)
    compute.go_on()
    networks.cloud.start(daemon)
    if networks.cloud.wait(server, {"ACTIVE", "ERROR"}).status == "ERROR":
        # Its sandbox may be there until it is deleted, if the engine did not answer.
        assert networks.cloud.fault(server)
    else:
        networks.answers(server, networks.boot(network), network)


@pytest.mark.parametrize(("daemon", "point"), _cases(UNPLUG, set()))
def test_server_amid_whose_delete_a_daemon_dies_leaves_nothing(
    compute: NovaCompute, networks: Networks, daemon: str, point: str
) -> None:
    server = networks.boot(networks.network("10.54.0.0/24"))
    compute.halt_at(point)
    networks.cloud.api.compute.delete_server(server)
    compute.halted()
    _dies(networks, daemon)
    compute.go_on()
    networks.cloud.start(daemon)
    # One that Nova could not delete is in ERROR; the fixture deletes it again, and compares.
    compute.audited()


@pytest.fixture
def silent_neutron(networks: Networks) -> typing.Iterator[None]:
    """Nobody reports ports as plugged: ovn-controller is dead, and Neutron does not know."""
    _dies(networks, "ovn-controller")
    yield
    networks.cloud.start("ovn-controller")


def test_port_that_never_becomes_active_fails_the_boot(
    compute: NovaCompute, networks: Networks, silent_neutron: None
) -> None:
    network = networks.network("10.55.0.0/24")
    before = remainder.of(networks.cloud)
    server = networks.create([{"uuid": network}])
    fault = _fails(networks, server, before)
    assert "did not report" in fault
    assert "vif_plugging_timeout" in fault


@_SLOW
def test_port_that_never_becomes_active_holds_nothing_up_where_it_is_not_fatal(
    compute: NovaCompute, networks: Networks, silent_neutron: None
) -> None:
    compute.stop()
    compute.configure([*MORTAL, "vif_plugging_is_fatal = False"])
    compute.start()
    try:
        network = networks.network("10.56.0.0/24")
        server = networks.boot(network)
        assert "eth0" in networks.inside(server, "ip link")
        networks.cloud.start("ovn-controller")
        networks.answers(server, networks.boot(network), network)
    finally:
        compute.stop()
        compute.configure(MORTAL)
        compute.start()


@pytest.mark.parametrize(
    "point", [pytest.param("make sandbox:before", marks=_SLOW), "make interface:after"]
)
def test_port_that_vanishes_mid_way_fails_the_boot(
    compute: NovaCompute, networks: Networks, point: str
) -> None:
    port = networks.port(networks.network("10.57.0.0/24"))
    before = remainder.of(networks.cloud)
    compute.halt_at(point)
    server = networks.create([{"port": port.id}])
    compute.halted()
    networks.api.delete_port(port)
    compute.go_on()
    assert port.id in _fails(networks, server, before)


def test_port_whose_binding_fails_gives_the_user_the_reason(
    compute: NovaCompute, networks: Networks
) -> None:
    """Without a chassis of the host's name, Neutron binds nothing to it."""
    network = networks.network("10.58.0.0/24")
    before = remainder.of(networks.cloud)
    run = networks.cloud.folder / "run" / "openvswitch"
    control = run / f"ovn-controller.{networks.cloud.pid('ovn-controller')}.ctl"
    subprocess.run(["ovs-appctl", "-t", str(control), "exit"], check=True)
    try:
        server = networks.create([{"uuid": network}])
        assert "inding failed" in _fails(networks, server, before)
    finally:
        networks.cloud.start("ovn-controller")


def test_address_of_another_port_is_refused(networks: Networks) -> None:
    network = networks.network("10.59.0.0/24")
    server = networks.boot(network)
    (address,) = networks.cloud.addresses(server)
    with pytest.raises(openstack.exceptions.ConflictException):
        networks.port(network, fixed_ips=[{"ip_address": address}])
    with pytest.raises(openstack.exceptions.BadRequestException, match=f"{address} is already in"):
        networks.create([{"uuid": network, "fixed_ip": address}])


@_SLOW
def test_allowed_address_pair_lets_two_servers_share_an_address(networks: Networks) -> None:
    network, shared = networks.network("10.60.0.0/24"), "10.60.0.250"
    pair = [{"ip_address": shared}]
    ports = [networks.port(network, allowed_address_pairs=pair) for _ in range(2)]
    client = networks.boot(network)
    for port in ports:
        server = networks.create([{"port": port.id}])
        networks.active(server)
        networks.serve(server)
        networks.change(server, f"address add {shared}/24 dev eth0")
        networks.change(client, "neigh flush all")
        wait_until(lambda: networks.reaches(client, shared), 20)
        networks.change(server, f"address delete {shared}/24 dev eth0")
        assert not networks.reaches(client, shared)
