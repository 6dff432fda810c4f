# SPDX-License-Identifier: Apache-2.0
"""A cloud from nothing: what the commands do and say, and a second run that changes nothing."""

import json
import time

from tests.cloud.users import CloudOfHosts, counts

NAMES = ("controller", "compute1", "compute2")


def test_first_run_leaves_no_host_failed(cloud: CloudOfHosts) -> None:
    if cloud.site.first_up:
        found = counts(cloud.site.first_up)
        assert {name: failed for name, (_, _, failed) in found.items()} == dict.fromkeys(NAMES, 0)
        assert all(changed > 0 for _, changed, _ in found.values())


def test_second_run_changes_nothing(cloud: CloudOfHosts) -> None:
    start = time.monotonic()
    output = cloud.site.up()
    print(f"second up: {time.monotonic() - start:.0f} s")
    found = counts(output)
    assert {name: figures[1:] for name, figures in found.items()} == dict.fromkeys(NAMES, (0, 0))


def test_status_has_each_host_as_it_is(cloud: CloudOfHosts) -> None:
    listed = json.loads(cloud.site.verb("status", "--format", "json").stdout)
    assert [(one["name"], one["regions"], one["used"], one["nova"]) for one in listed] == [
        ("controller", 0, 0, "no compute host"),
        ("compute1", 2, 0, "up, enabled"),
        ("compute2", 0, 0, "up, enabled"),
    ]
    assert all(one["failure"] is None and one["quarantined"] == 0 for one in listed)
    text = cloud.site.verb("status").stdout
    assert max(map(len, text.splitlines())) <= 120
    lines = {line.split()[0]: line.split() for line in text.splitlines()}
    assert lines["compute1"][1:4] == ["2", "0", "0"]


def test_host_that_is_cut_off_has_no_status_and_hides_no_other(cloud: CloudOfHosts) -> None:
    cloud.site.hosts("cut", "compute1")
    try:
        done = cloud.site.verb("status", "--format", "json", check=False)
    finally:
        cloud.site.hosts("join", "compute1")
    assert done.returncode == 1
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["compute1"]["regions"] is None
    assert "ssh" in found["compute1"]["failure"]
    assert found["compute2"]["failure"] is None


def test_plan_asks_no_host(cloud: CloudOfHosts) -> None:
    for name in NAMES:
        cloud.site.hosts("cut", name)
    try:
        plan = cloud.site.verb("plan").stdout
    finally:
        for name in NAMES:
            cloud.site.hosts("join", name)
    assert all(name in plan for name in NAMES)
    assert "Nova's controller" in plan


def test_server_is_booted_on_the_fpga_host_and_deleted(cloud: CloudOfHosts) -> None:
    output = cloud.site.verb("test").stdout
    assert "compute1: a server was up after" in output
    assert "compute2" not in output.replace("compute2 ", "")
    assert cloud.owners("compute1") == []
    assert not cloud.containers("compute1")
