# SPDX-License-Identifier: Apache-2.0
"""What lives on while units start again, and how a host comes back after a reboot."""

import collections.abc
import datetime
import json
import typing

import pytest

from tests.cloud.site import NETWORKS
from tests.cloud.users import FOLDER, CloudOfHosts, wait_for
from tests.support import exposure

HOST = "compute1"
COMPUTE = "fpga-nova-nova-compute"
_KILL = "systemctl kill --signal=KILL --kill-whom=main"

#: Daemons by the role of their host.
CONTROL = {"database", "epmd", "rabbitmq", "keystone", "glance-api", "placement-api"}
CONTROL |= {
    "memcached",
    "fpga-api",
    "fpga-api-engine",
    "neutron-api",
    "nova-api",
    "nova-conductor",
    "nova-scheduler",
    "opencl-node",
}
DAEMONS = {
    "controller": CONTROL,
    HOST: {"containerd", "dockerd", "fpga-regions", "nova-compute", "opencl-node"},
}
if NETWORKS:
    CONTROL |= {"neutron-ovn-maintenance", "nova-metadata", "ovn-nb", "ovn-northd", "ovn-sb"}
    DAEMONS[HOST] |= {"neutron-ovn-agent", "ovn-controller", "ovs-vswitchd", "ovsdb"}

INTERRUPTIONS = {
    "systemd reads its units again": "systemctl daemon-reload",
    "nova-compute starts again": f"systemctl restart {COMPUTE}",
    "nova-compute is killed": f"{_KILL} {COMPUTE}",
    "dockerd starts again": "systemctl restart fpga-nova-dockerd",
    "dockerd is killed": f"{_KILL} fpga-nova-dockerd",
    "containerd starts again": "systemctl restart fpga-nova-containerd",
    "containerd is killed": f"{_KILL} fpga-nova-containerd",
    "fpga-regions starts again": "systemctl restart fpga-nova-fpga-regions",
    "fpga-regions is killed": f"{_KILL} fpga-nova-fpga-regions",
    "all start again": f"systemctl restart {COMPUTE} fpga-nova-dockerd fpga-nova-containerd",
}


def active(cloud: CloudOfHosts, host: str) -> set[str]:
    """The daemons of a host that are ready."""
    line = "systemctl list-units --plain --no-legend --state=active 'fpga-nova-*.service'"
    units = [one.split()[0] for one in cloud.site.ask(host, line).splitlines()]
    return {unit.removeprefix("fpga-nova-").removesuffix(".service") for unit in units}


def main_processes(cloud: CloudOfHosts, host: str) -> dict[str, str]:
    """The process of each daemon of a host; 0 of one that does not run."""
    show = "systemctl show --property=MainPID --value"
    return {one: cloud.site.ask(host, f"{show} fpga-nova-{one}") for one in sorted(DAEMONS[host])}


def region_processes(cloud: CloudOfHosts) -> set[str]:
    """The processes behind the regions of the host."""
    return set(cloud.site.ask(HOST, "pgrep -f '[f]pga_regions.emulator.software' || :").split())


def begun(cloud: CloudOfHosts, server: str) -> str:
    """The process of a server's container, and when it started."""
    form = "'{{.State.Pid}} {{.State.StartedAt}} {{.State.Running}}'"
    return cloud.docker(HOST, f"inspect --format {form} nova-{server}")


def events(cloud: CloudOfHosts) -> list[dict[str, typing.Any]]:
    """What happened to the regions of the host, the oldest first."""
    text = cloud.site.ask(HOST, f"{FOLDER}/bin/fpga-cli.py events --format json")
    return typing.cast(list[dict[str, typing.Any]], json.loads(text)["events"])


def is_back(cloud: CloudOfHosts, host: str) -> bool:
    """Whether all daemons of a host are ready, and Nova hears of it."""
    return active(cloud, host) == DAEMONS[host] and cloud.is_up(HOST)


def reboot(cloud: CloudOfHosts, host: str) -> None:
    """Reboot a host, and wait until its daemons are ready and compute1 is up."""
    cloud.site.hosts("reboot", host)
    wait_for("the host is back", lambda: is_back(cloud, host), 400)


@pytest.fixture
def server(cloud: CloudOfHosts) -> collections.abc.Iterator[str]:
    """A server with a region."""
    found = cloud.boot()
    assert found.status == "ACTIVE", cloud.fault(found.id)
    yield found.id
    cloud.delete(found.id)


@pytest.mark.parametrize("host", DAEMONS)
def test_units_are_exposed_no_more_than_the_page_says(cloud: CloudOfHosts, host: str) -> None:
    assert active(cloud, host) == DAEMONS[host]
    for daemon in DAEMONS[host]:
        report = cloud.site.ask(host, f"systemd-analyze security --no-pager fpga-nova-{daemon}")
        assert exposure.exposure(report) <= exposure.limit(daemon), report


@pytest.mark.parametrize("line", INTERRUPTIONS.values(), ids=INTERRUPTIONS.keys())
def test_server_and_region_live_on_while(cloud: CloudOfHosts, server: str, line: str) -> None:
    before = begun(cloud, server), region_processes(cloud)
    assert before[0].endswith("true")
    assert before[1]
    daemons = main_processes(cloud, HOST)
    interrupted = {name for name in daemons if f"fpga-nova-{name}" in line}
    cloud.site.ask(HOST, line)

    def has_started_again() -> bool:
        now = main_processes(cloud, HOST)
        return {name for name in now if now[name] != daemons[name]} == interrupted

    wait_for("they have started again", lambda: is_back(cloud, HOST) and has_started_again())
    assert (begun(cloud, server), region_processes(cloud)) == before
    assert cloud.settled(server).status == "ACTIVE"
    assert cloud.compressed(HOST, server) > 0


def test_burn_goes_on_while_nova_compute_is_killed(cloud: CloudOfHosts, slow_burn: str) -> None:
    server = cloud.create(slow_burn)
    burning = "pgrep -f '[f]pga-cli.py .*burn' || :"
    wait_for("the burn", lambda: cloud.site.ask(HOST, burning))
    cloud.site.ask(HOST, f"{_KILL} {COMPUTE}; {burning}")
    assert cloud.site.ask(HOST, burning)
    wait_for("the end of the burn", lambda: not cloud.site.ask(HOST, burning))
    of_burn = [one for one in events(cloud) if one["owner"] == server]
    assert of_burn[-1]["state"] == "programmed", of_burn
    wait_for("the host is back", lambda: is_back(cloud, HOST))
    assert cloud.settled(server).status == "ERROR"
    cloud.delete(server)
    wait_for("the region is free", lambda: server not in cloud.owners(HOST))


def test_servers_are_booted_after_all_that(cloud: CloudOfHosts) -> None:
    found = cloud.boot()
    assert found.status == "ACTIVE", cloud.fault(found.id)
    cloud.delete(found.id)


def test_host_that_reboots_burns_regions_before_their_servers_start(
    cloud: CloudOfHosts, server: str
) -> None:
    before = begun(cloud, server)
    last = events(cloud)[-1]["sequence"]
    reboot(cloud, HOST)
    assert cloud.settled(server, "ACTIVE").host_status == "UP"
    wait_for("the container", lambda: begun(cloud, server) != before)
    assert begun(cloud, server).endswith("true")
    burnt = [
        one
        for one in events(cloud)
        if one["sequence"] > last and one["state"] == "programmed" and one["owner"] == server
    ]
    assert burnt
    assert datetime.datetime.fromisoformat(burnt[0]["at"]) < cloud.started(HOST, server)
    assert cloud.compressed(HOST, server) > 0


def test_units_started_in_the_order_of_their_needs(cloud: CloudOfHosts) -> None:
    ready = [
        int(cloud.site.ask(HOST, f"systemctl show -P ActiveEnterTimestampMonotonic {unit}"))
        for unit in ("fpga-nova-containerd", "fpga-nova-dockerd", COMPUTE)
    ]
    assert sorted(ready) == ready


def test_controller_that_reboots_comes_back_by_itself(cloud: CloudOfHosts, server: str) -> None:
    before = begun(cloud, server)
    reboot(cloud, "controller")
    # A report that the reboot caught has to time out first, and the old ones count meanwhile.
    last = cloud.service(HOST).updated_at
    wait_for("a new report", lambda: cloud.service(HOST).updated_at != last and cloud.is_up(HOST))
    assert begun(cloud, server) == before
    found = cloud.boot()
    assert found.status == "ACTIVE", cloud.fault(found.id)
    cloud.delete(found.id)
