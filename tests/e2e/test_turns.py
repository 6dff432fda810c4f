# SPDX-License-Identifier: Apache-2.0
"""Servers booted as soon as another is gone, while every region of the cloud is in use.

The erase is inside the delete (docs/lifecycle.md), so none is refused. ``make faults`` takes 200
turns, pytest by itself a few.
"""

import os
import typing

import openstack.exceptions
import pytest
from cloud import Cloud

from tests.support.host import wait_until

pytestmark = pytest.mark.e2e

TURNS = 200 if os.environ.get("FPGA_NOVA_ALL_POINTS") else 5
_PATIENCE = 120  # seconds
_BUILD = "compute__do_build_and_run_instance"


def test_no_server_is_refused_or_built_twice(cloud: Cloud, no_quota: None) -> None:
    compute = cloud.api.compute
    flavor = compute.find_flavor("fpga-lzo", ignore_missing=False).id
    image = cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False).id
    faults: list[str] = []
    servers: list[str] = []

    def boot() -> None:
        server = compute.create_server(
            name="turn", flavor_id=flavor, image_id=image, networks="none"
        )
        servers.append(server.id)
        if cloud.wait(server.id, {"ACTIVE", "ERROR"}).status == "ERROR":
            faults.append(cloud.fault(server.id))

    builds: list[int] = []
    try:
        while cloud.ledger()["used"] < cloud.ledger()["total"]:
            boot()
        for _ in range(TURNS):
            builds.append(_builds(compute, servers[0]))
            _delete(compute, servers.pop(0))
            boot()
        builds += [_builds(compute, server) for server in servers]
    finally:
        cloud.delete(*servers)
    assert faults == []
    assert builds == [1] * len(builds)


def _delete(compute: typing.Any, server: str) -> None:
    """Delete a server, and return as soon as Nova does not have it any more."""
    compute.delete_server(server)
    wait_until(lambda: _gone(compute, server), _PATIENCE)


def _gone(compute: typing.Any, server: str) -> bool:
    try:
        compute.get_server(server)
    except openstack.exceptions.NotFoundException:
        return True
    return False


def _builds(compute: typing.Any, server: str) -> int:
    """How often hosts have built a server."""
    actions = [one for one in compute.server_actions(server) if one.action == "create"]
    details = [compute.get_server_action(one.request_id, server) for one in actions]
    return sum(event["event"] == _BUILD for one in details for event in one.events)
