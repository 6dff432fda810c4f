# SPDX-License-Identifier: Apache-2.0
"""The way out: hosts that have nothing of the cloud, and a machine that has no hosts."""

from tests.cloud import remains
from tests.cloud.users import CloudOfHosts


def test_removal_leaves_nothing_on_any_host(cloud: CloudOfHosts) -> None:
    server = cloud.boot("fpga-lzo")
    assert server.status == "ACTIVE"
    containers = cloud.docker("compute1", "ps --all --quiet --no-trunc").split()
    assert containers
    cloud.site.verb("down")
    names = ("controller", "compute1", "compute2")
    assert [remains.of_cloud(cloud.site, name, containers) for name in names] == [{}, {}, {}]
    assert not (cloud.site.cloud_folder / "secrets.yml").exists()


def test_second_removal_is_as_good(cloud: CloudOfHosts) -> None:
    cloud.site.verb("down")


def test_removal_of_the_hosts_leaves_nothing_on_the_machine(cloud: CloudOfHosts) -> None:
    cloud.site.hosts("down")
    remains.check_machine(cloud.site)
