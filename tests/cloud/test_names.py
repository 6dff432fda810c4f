# SPDX-License-Identifier: Apache-2.0
"""A host with servers gets another name: nothing of theirs is erased."""

import collections.abc
import dataclasses

import pytest

from tests.cloud.site import COMPUTE1, COMPUTE2, CONTROLLER
from tests.cloud.users import FOLDER, PROGRAMS, CloudOfHosts, wait_for

UNIT = "fpga-nova-nova-compute"


@pytest.fixture
def server(cloud: CloudOfHosts) -> collections.abc.Iterator[str]:
    """A server with a region of compute1."""
    server = cloud.boot("fpga-lzo")
    assert server.status == "ACTIVE"
    yield str(server.id)
    cloud.delete(server.id)
    wait_for("nothing is left", lambda: cloud.is_clean("compute1", "compute2"))


def test_host_with_another_host_name_stays_the_same_to_nova(
    cloud: CloudOfHosts, server: str
) -> None:
    cloud.site.hosts("rename", "compute1", "fpga1")
    try:
        cloud.site.ask("fpga1", f"systemctl restart {UNIT}", timeout=400)
        wait_for("an audit is over", lambda: cloud.audited("fpga1"))
        assert cloud.owners("fpga1") == [server]
        assert cloud.containers("fpga1", running=True) == {server}
        assert 0 < cloud.compressed("fpga1", server) < 500
        assert cloud.service("fpga1") is None
        assert cloud.is_up("compute1")
    finally:
        cloud.site.hosts("rename", "fpga1", "compute1")
    assert cloud.settled(server).status == "ACTIVE"


@pytest.fixture
def renamed_node(cloud: CloudOfHosts) -> collections.abc.Iterator[None]:
    """The file has another name for compute1."""
    cloud.site.describe(CONTROLLER, dataclasses.replace(COMPUTE1, name="fpga1"), COMPUTE2)
    yield
    cloud.site.describe(CONTROLLER, COMPUTE1, COMPUTE2)


@pytest.mark.usefixtures("renamed_node")
def test_node_with_another_name_is_refused_before_anything_is_changed(
    cloud: CloudOfHosts, server: str
) -> None:
    done = cloud.site.verb("up", check=False)
    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    assert "is the host compute1 of Nova" in " ".join(done.stdout.split())
    assert cloud.owners("compute1") == [server]
    assert cloud.settled(server).status == "ACTIVE"


def test_nova_compute_of_another_name_erases_nothing_and_the_doctor_helps(
    cloud: CloudOfHosts, server: str
) -> None:
    file = f"{FOLDER}/etc/nova/nova-compute.conf"
    again = (
        "systemctl stop fpga-nova-nova-compute; systemctl start --no-block fpga-nova-nova-compute"
    )
    cloud.site.ask("compute1", f"sed -i 's/^host = .*/host = fpga1/' {file} && {again}")
    try:
        wait_for(
            "it refuses to start", lambda: "refusing to start" in cloud.since_start("compute1")
        )
        assert cloud.owners("compute1") == [server]
        assert cloud.containers("compute1", running=True) == {server}
        doctor = cloud.site.ssh(
            "compute1",
            f"{PROGRAMS}/fpga-patch doctor --role compute --etc {FOLDER}/etc/nova",
            check=False,
        )
        assert doctor.returncode == 7
        assert "[DEFAULT]: host = compute1" in doctor.stdout
    finally:
        cloud.site.ask("compute1", f"sed -i 's/^host = .*/host = compute1/' {file} && {again}")
    wait_for("nova-compute is up again", lambda: cloud.audited("compute1"))
    assert cloud.service("fpga1") is None
    assert cloud.owners("compute1") == [server]
    assert 0 < cloud.compressed("compute1", server) < 500
