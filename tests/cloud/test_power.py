# SPDX-License-Identifier: Apache-2.0
"""A host with FPGA servers loses its power, or is booted anew."""

import collections.abc
import datetime

import pytest

from tests.cloud.users import FOLDER, CloudOfHosts, wait_for

CONFIGURATION = f"{FOLDER}/etc/nova/nova-compute.conf"
RESUME, UNIT = "resume_guests_state_on_host_boot", "fpga-nova-nova-compute"

#: Waits until a region is being programmed, and has its fpga-cli sleep there. This line itself does
#: not match the pattern.
BURNS = f"""
for i in $(seq 120); do
    if {FOLDER}/bin/fpga-cli.py status --format json | grep -q '"state": "write"'; then
        pkill -STOP -f 'fpga-cli.* bur[n] '
        exec {FOLDER}/bin/fpga-cli.py status --format json
    fi
    sleep 0.1
done
"""


def test_host_that_dies_in_a_burn_leaves_nothing_once_it_is_back(
    cloud: CloudOfHosts, slow_burn: str
) -> None:
    running = cloud.boot("fpga-lzo").id
    building = cloud.create(slow_burn)
    assert '"state": "write"' in cloud.site.ask("compute1", BURNS)
    cloud.site.hosts("kill", "compute1")
    try:
        assert cloud.api.compute.get_server(building).status == "BUILD"
        wait_for("Nova knows that the host is down", lambda: not cloud.is_up("compute1"))
        cloud.delete(running)
    finally:
        cloud.site.hosts("start", "compute1")
    wait_for("Nova knows that the host is up", lambda: cloud.is_up("compute1"))
    assert cloud.settled(building).status == "ERROR"
    wait_for("the deleted server is gone", lambda: running not in cloud.owners("compute1"))
    wait_for("its container too", lambda: running not in cloud.containers("compute1"))
    cloud.delete(building)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2"))
    assert cloud.owners("compute1") == []

    after = cloud.boot(slow_burn)
    assert (after.status, after.compute_host) == ("ACTIVE", "compute1")
    cloud.delete(after.id)


@pytest.fixture
def two_servers(cloud: CloudOfHosts) -> collections.abc.Iterator[list[str]]:
    """Both regions of compute1 have a server that runs."""
    servers = [cloud.boot(flavor) for flavor in ("fpga-lzo", "fpga-packbits")]
    assert [one.status for one in servers] == ["ACTIVE"] * 2
    ids = [one.id for one in servers]
    yield ids
    cloud.delete(*ids)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2"))


def reboot(cloud: CloudOfHosts) -> datetime.datetime:
    """Boot compute1 anew, and wait until its nova-compute is up; when it began."""
    start = datetime.datetime.now(datetime.UTC)
    before = cloud.service("compute1").updated_at
    cloud.site.hosts("reboot", "compute1")
    wait_for(
        "nova-compute is up again",
        lambda: cloud.is_up("compute1") and cloud.service("compute1").updated_at > before,
    )
    return start


def burnt(cloud: CloudOfHosts) -> dict[str, datetime.datetime]:
    """When each owner of a region of compute1 got its bitstream."""
    regions = cloud.ledger("compute1")
    programmed = [one for one in regions if one["state"] == "programmed"]
    return {one["owner"]: datetime.datetime.fromisoformat(one["since"]) for one in programmed}


@pytest.fixture
def resuming(cloud: CloudOfHosts, request: pytest.FixtureRequest) -> collections.abc.Iterator[None]:
    """Whether compute1 starts, after a boot, the servers that ran."""
    restart = f"systemctl restart {UNIT}"
    set_it = f"/^{RESUME}/d; s/^host = .*/&\\n{RESUME} = {request.param}/"
    cloud.site.ask("compute1", f"sed -i.before '{set_it}' {CONFIGURATION} && {restart}")
    yield
    cloud.site.ask("compute1", f"cp -p {CONFIGURATION}.before {CONFIGURATION} && {restart}")
    cloud.site.ask("compute1", f"rm {CONFIGURATION}.before")


@pytest.mark.usefixtures("resuming")
@pytest.mark.parametrize("resuming", [False], indirect=True)
def test_rebooted_host_burns_again_before_a_user_starts_the_server(
    cloud: CloudOfHosts, two_servers: list[str]
) -> None:
    booted = reboot(cloud)
    for server in two_servers:
        cloud.settled(server, "SHUTOFF")
    assert set(burnt(cloud)) == set(two_servers)
    for server in two_servers:
        cloud.api.compute.start_server(server)
        cloud.settled(server, "ACTIVE")
        assert booted < burnt(cloud)[server] < cloud.started("compute1", server)
        assert 0 < cloud.compressed("compute1", server) < 500


@pytest.mark.usefixtures("resuming")
@pytest.mark.parametrize("resuming", [True], indirect=True)
def test_rebooted_host_burns_again_before_it_starts_the_servers_that_ran(
    cloud: CloudOfHosts, two_servers: list[str]
) -> None:
    booted = reboot(cloud)
    wait_for("they run", lambda: cloud.containers("compute1", running=True) == set(two_servers))
    for server in two_servers:
        cloud.settled(server, "ACTIVE")
        assert booted < burnt(cloud)[server] < cloud.started("compute1", server)
        assert 0 < cloud.compressed("compute1", server) < 500
