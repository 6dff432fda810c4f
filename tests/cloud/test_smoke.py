# SPDX-License-Identifier: Apache-2.0
"""A controller and an FPGA host: from nothing to a server with a region, and back to nothing.

One test: ``make e2e-cloud-smoke`` has it within minutes, and prints what each step took.
"""

import collections.abc
import contextlib
import json
import time

from tests.cloud import remains
from tests.cloud.site import COMPUTE1, CONTROLLER, Site
from tests.cloud.users import CloudOfHosts, counts


@contextlib.contextmanager
def step(name: str) -> collections.abc.Iterator[None]:
    """Print how long a step took."""
    start = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


def test_two_hosts_from_nothing_and_back(site: Site) -> None:
    site.remove()
    site.describe(CONTROLLER, COMPUTE1)
    cloud = CloudOfHosts(site)
    with step("up from nothing"):
        found = counts(site.up())
    assert {name: figures[2] for name, figures in found.items()} == {"controller": 0, "compute1": 0}
    with step("second up"):
        found = counts(site.up())
    assert {name: figures[1:] for name, figures in found.items()} == {
        "controller": (0, 0),
        "compute1": (0, 0),
    }
    with step("test"):
        assert "compute1: a server was up after" in site.verb("test").stdout
    with step("boot"):
        server = cloud.settled(cloud.create("fpga-lzo", networks="auto"))
        assert server.status == "ACTIVE"
        assert server.addresses
        assert 0 < cloud.compressed("compute1", server.id) < 500
    with step("status"):
        listed = json.loads(site.verb("status", "--format", "json").stdout)
    assert [(one["name"], one["used"], one["nova"]) for one in listed] == [
        ("controller", 0, "no compute host"),
        ("compute1", 1, "up, enabled"),
    ]
    containers = cloud.docker("compute1", "ps --all --quiet --no-trunc").split()
    with step("down"):
        site.verb("down")
    names = ("controller", "compute1")
    assert [remains.of_cloud(site, name, containers) for name in names] == [{}, {}]
    with step("down of the hosts"):
        site.hosts("down")
    remains.check_machine(site)
