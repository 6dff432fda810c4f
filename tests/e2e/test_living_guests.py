# SPDX-License-Identifier: Apache-2.0
"""A container lives on while its host or its region is harmed; nobody else gets the region.

Real containers, whose regions are fpga-cli's fake ones, with device nodes of their own.
"""

import concurrent.futures
import json
import os
import pathlib
import stat
import typing
import uuid

import pytest

from tests.e2e.hosts import DOCKER, ComputeHost, known
from tests.e2e.stage import Stage
from tests.support.host import wait_until

#: Servers that are built and deleted while nova-compute is told to stop.
MANY = 20


@pytest.fixture
def stage(stages: typing.Callable[[str], Stage]) -> Stage:
    """Two hosts with containers."""
    return stages(DOCKER)


def _region(stage: Stage, server: str) -> dict[str, typing.Any]:
    (region,) = [region for _, region in stage.regions() if region["owner"] == server]
    return region


def _node(stage: Stage, server: str) -> pathlib.Path:
    return pathlib.Path(_region(stage, server)["nodes"][0]["path"])


def _runs(stage: Stage, server: str) -> bool:
    return bool(stage.cloud.engine.containers.get(f"nova-{server}").status == "running")


def _burns(stage: Stage) -> bool:
    """Whether a region of the first host is being burnt."""
    return "write" in stage.here.cli.states()


def _nodes_of(stage: Stage, server: str) -> set[str]:
    attributes = stage.cloud.engine.containers.get(f"nova-{server}").attrs
    return {device["PathOnHost"] for device in attributes["HostConfig"]["Devices"]}


def test_region_that_loses_its_configuration_and_cannot_be_burnt_stays_its_living_guests(
    stage: Stage,
) -> None:
    server = stage.active()
    nodes = _nodes_of(stage, server)
    failing = {"fake__program_failures": 1, "fake__clear_failures": 1}
    stage.here.cli.configure(drivers="fake", program_retries=0, **failing)
    (stage.here.cli.state / "drivers" / "fake" / _region(stage, server)["id"]).unlink()
    wait_until(lambda: _region(stage, server)["state"] == "quarantined", 60)
    assert _runs(stage, server)
    stage.here.cli.configure(drivers="fake")
    for _audit in range(3):
        stage.here.audited()
    region = _region(stage, server)
    assert (region["owner"], bool(region["handed_out"])) == (server, True)
    other = stage.active()
    assert _nodes_of(stage, other).isdisjoint(nodes)
    third = stage.create()
    stage.state(third, "ERROR")
    stage.clean()


def test_region_of_a_container_is_kept_by_a_nova_compute_of_another_name(
    stage: Stage, tmp_path: pathlib.Path
) -> None:
    server = stage.active()
    before = _region(stage, server)
    stage.here.stop()
    name = f"renamed-{uuid.uuid4().hex[:4]}"
    renamed = ComputeHost(stage.cloud, tmp_path / name, name, DOCKER, cli=stage.here.cli)
    try:
        renamed.start()
        known(stage.cloud, [name])
        for _audit in range(3):
            renamed.audited()
        assert "is kept" in renamed.log()
        assert (_region(stage, server), _runs(stage, server)) == (before, True)
    finally:
        renamed.stop()
        renamed.leave()
        stage.here.start()
    stage.here.audited()
    stage.check()
    stage.clean()


def test_container_with_the_number_of_another_node_is_stopped_and_starts_with_its_own(
    stage: Stage,
) -> None:
    server = stage.active()
    node = _node(stage, server)
    number = node.stat().st_rdev
    node.unlink()
    os.mknod(node, stat.S_IFCHR | 0o666, number + 1)
    wait_until(lambda: not _runs(stage, server), 60)
    stage.state(server, "SHUTOFF")
    stage.compute.post(f"/servers/{server}/action", json={"reboot": {"type": "HARD"}})
    wait_until(lambda: _runs(stage, server), 60)
    stage.here.audited()
    stage.here.audited()
    assert _runs(stage, server)
    stage.state(server, "ACTIVE")
    stage.check()
    stage.clean()


def test_stop_of_nova_compute_amid_builds_and_deletes_leaves_each_done_or_undone(
    stage: Stage, no_quota: None
) -> None:
    stage.here.cli.configure(drivers="fake", fake__regions=MANY, fake__program_delay=5)
    for _audit in range(2):  # one may have begun before
        stage.here.audited()
    first = [stage.create() for _ in range(MANY // 2)]
    for server in first:
        stage.state(server, "ACTIVE")
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        deletes = [pool.submit(stage.compute.delete_server, server) for server in first]
        builds = [pool.submit(stage.create) for _ in range(MANY // 2)]
        wait_until(lambda: _burns(stage), 60)
        stage.here.terminate()
    for request in [*deletes, *builds]:
        request.result()
    assert stage.here.ended(300), "nova-compute does not end after SIGTERM"
    stage.here.cli.configure(drivers="fake", fake__regions=MANY)
    stage.here.start()
    for _audit in range(2):
        stage.here.audited()
    stage.check()
    found = json.dumps(stage.here.cli.status())
    assert "firmware request" not in found
    stage.clean()
    stage.here.cli.configure(drivers="fake")
