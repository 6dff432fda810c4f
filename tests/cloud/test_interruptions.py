# SPDX-License-Identifier: Apache-2.0
"""Hosts that are not fit are named before a change; a run that is interrupted is resumed."""

import collections.abc
import subprocess
import time
import typing

import pytest

from tests.cloud.site import COMPUTE1, COMPUTE2, CONTROLLER
from tests.cloud.users import FOLDER, CloudOfHosts, counts

AGAIN = "Remove the cause and run it again"


def refused(cloud: CloudOfHosts) -> str:
    """What `up` prints of hosts that are not fit; it changes nothing."""
    before = cloud.site.ask("controller", f"stat -c %Z {FOLDER}/run {FOLDER}/etc")
    done = cloud.site.verb("up", check=False)
    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    assert "-- Hosts" not in done.stdout
    assert cloud.site.ask("controller", f"stat -c %Z {FOLDER}/run {FOLDER}/etc") == before
    return " ".join(done.stdout.split())


def test_host_that_is_not_reached_is_named_before_a_change(cloud: CloudOfHosts) -> None:
    cloud.site.hosts("cut", "compute1")
    try:
        assert "not reached: ssh: connect to host" in refused(cloud)
    finally:
        cloud.site.hosts("join", "compute1")


def test_other_distribution_is_named_before_a_change(cloud: CloudOfHosts) -> None:
    cloud.site.describe(CONTROLLER, COMPUTE1, COMPUTE2, distribution="debian-13")
    try:
        assert refused(cloud).count("runs debian-12, not debian-13") == 3
    finally:
        cloud.site.describe(CONTROLLER, COMPUTE1, COMPUTE2)


def test_host_with_a_server_is_not_removed(cloud: CloudOfHosts) -> None:
    server = cloud.boot()
    region = cloud.owners("compute1")
    done = cloud.site.verb("down", "--limit", "compute1", check=False)
    assert done.returncode == 1
    assert f"compute1 has servers, delete or migrate them: {server.name}" in done.stdout
    assert (cloud.owners("compute1"), cloud.is_up("compute1")) == (region, True)
    assert cloud.compressed("compute1", server.id) > 0


@pytest.fixture
def new_compute2(cloud: CloudOfHosts) -> collections.abc.Iterator[None]:
    """compute2 is to be made anew by the next run."""
    cloud.site.verb("down", "--limit", "compute2")
    yield
    found = counts(cloud.site.verb("up").stdout)
    assert {name: failed for name, (_, _, failed) in found.items()} == dict.fromkeys(found, 0)
    server = cloud.boot("small", "compute2")
    assert (server.status, server.compute_host) == ("ACTIVE", "compute2")
    cloud.delete(server.id)


def in_the_middle(cloud: CloudOfHosts) -> tuple["subprocess.Popen[str]", typing.IO[str]]:
    """A run of `up` that has come to the message broker, and the rest of its output."""
    run = cloud.site.begin("up")
    assert run.stdout
    for line in run.stdout:
        if line.startswith("-- Message broker"):
            break
    return run, run.stdout


@pytest.mark.usefixtures("new_compute2")
def test_host_that_is_cut_off_in_the_middle_stops_the_run(cloud: CloudOfHosts) -> None:
    run, output = in_the_middle(cloud)
    cloud.site.hosts("cut", "compute2")
    try:
        rest = output.read()
        assert run.wait(60) == 1
    finally:
        cloud.site.hosts("join", "compute2")
    assert AGAIN in rest
    assert "compute2" in rest
    assert counts(rest).get("controller", (0, 0, 0))[2] == 0


@pytest.mark.usefixtures("new_compute2")
def test_connection_that_dies_does_no_harm(cloud: CloudOfHosts) -> None:
    run, output = in_the_middle(cloud)
    time.sleep(3)
    cloud.site.inside("compute2", "pkill -KILL -f '^sshd: root'")
    rest = output.read()
    # Ansible connects again, unless a task was at work.
    if run.wait(60):
        assert AGAIN in rest


@pytest.mark.usefixtures("new_compute2")
def test_disk_that_is_full_in_the_middle_is_named(cloud: CloudOfHosts) -> None:
    state = f"{FOLDER}/state"
    full = f"mkdir -p {state} && mount -t tmpfs -o size=4m,nr_inodes=3,mode=755 full {state}"
    cloud.site.inside("compute2", full)
    try:
        done = cloud.site.verb("up", check=False)
    finally:
        cloud.site.inside("compute2", f"umount {state}")
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    assert "compute2" in done.stdout
    assert AGAIN in done.stderr
