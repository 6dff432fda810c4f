# SPDX-License-Identifier: Apache-2.0
"""Many more servers than regions at once: four hosts, three schedulers, real Placement.

``make faults`` boots 200, pytest by itself a few.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import threading
import time
import typing
import uuid

import pytest
from cloud import Cloud

from tests.e2e.hosts import KEEPING, ComputeHost, Schedulers, known
from tests.support import bitstreams
from tests.support.host import wait_until

ALL = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))
BOOTS = 200 if ALL else 16
HOSTS, REGIONS, SCHEDULERS = 4, 2, 3
_PATIENCE = 1200  # seconds

#: What a user is told who gets no region.
REFUSED = re.compile("No valid host|FPGA region wanted|no free FPGA region|Exceeded maximum number")


@pytest.fixture(params=[False, True] if ALL else [True], ids=lambda on: f"Placement {on}")
def hosts(
    cloud: Cloud, request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> typing.Iterator[list[ComputeHost]]:
    """Four hosts, the only ones that are enabled, and three schedulers of their own."""
    compute = cloud.api.compute
    others = list(compute.services(binary="nova-compute"))
    names = [f"many{number}-{uuid.uuid4().hex[:4]}" for number in range(HOSTS)]
    computes = [ComputeHost(cloud, tmp_path / name, name, KEEPING, audit=10) for name in names]
    for host in computes:
        host.cli.configure(drivers="fake", fake__regions=REGIONS, fake__program_delay=0.2)
    schedulers = Schedulers(cloud, tmp_path, SCHEDULERS, request_placement=request.param)
    try:
        for host in computes:
            host.start()
        known(cloud, names)
        for service in others:
            compute.disable_service(service)
        schedulers.start()
        yield computes
    finally:
        schedulers.stop()
        for service in others:
            compute.enable_service(service)
        for host in computes:
            host.close()


@pytest.fixture
def flavor(cloud: Cloud, no_quota: None) -> typing.Iterator[str]:
    """A flavor with a bitstream for these hosts, in a project that may have many servers."""
    package = bitstreams.package(target={"board": "fake", "part": "fake"})
    image = cloud.api.image.create_image(
        "many", data=package, container_format="fpga", disk_format="raw", visibility="public"
    )
    record = cloud.api.compute.create_flavor(name="many", ram=64, vcpus=1, disk=0)
    cloud.api.compute.create_flavor_extra_specs(record, {"hw:fpga_ip_id": image.id})
    yield str(record.id)
    cloud.api.compute.delete_flavor(record)
    cloud.api.image.delete_image(image)


class Looks:
    """Looks again and again, in a thread of its own, while it is entered."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> typing.Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self._look()
            self._over.wait(0.5)

    def _look(self) -> None:
        raise NotImplementedError


class Watch(Looks):
    """Looks at all ledgers while servers come and go."""

    def __init__(self, hosts: list[ComputeHost]) -> None:
        super().__init__()
        self._hosts = hosts
        self.most = 0
        self.looks = 0
        self.twice: set[str] = set()

    def _look(self) -> None:
        owners = [
            region["owner"]
            for host in self._hosts
            for region in host.cli.status()["regions"]
            if region["owner"]
        ]
        self.looks += 1
        self.most = max(self.most, len(owners))
        self.twice |= {one for one, count in collections.Counter(owners).items() if count > 1}


class Listing(Looks):
    """All servers, asked for by one thread for all who wait, so that asking is a small load."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._compute = cloud.api.compute
        self._servers: dict[str, typing.Any] = {}
        self._news = threading.Condition()

    def built(self, server: str) -> typing.Any:
        """Wait until a server is ACTIVE or ERROR; what is known of it."""
        self._wait(lambda: getattr(self._servers.get(server), "status", "") in ("ACTIVE", "ERROR"))
        return self._servers[server]

    def gone(self, server: str) -> None:
        """Wait until a server that was seen is no more."""
        self._wait(lambda: server not in self._servers)

    def _wait(self, condition: typing.Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, _PATIENCE), "it did not come about in time"

    def _look(self) -> None:
        servers = {server.id: server for server in self._compute.servers(details=True)}
        with self._news:
            self._servers = servers
            self._news.notify_all()


def test_no_region_is_given_twice_and_all_come_back(
    cloud: Cloud, hosts: list[ComputeHost], flavor: str
) -> None:
    compute = cloud.api.compute
    image = cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False)

    def live(number: int) -> tuple[str, str, str]:
        """Boot a server and delete it again; its id, its state in between, and its fault."""
        server = compute.create_server(
            name=f"many-{number}", image_id=image.id, flavor_id=flavor, networks="none"
        )
        found = listing.built(server.id)
        fault = found.fault["message"] if found.status == "ERROR" else ""
        compute.delete_server(server.id)
        listing.gone(server.id)
        return server.id, found.status, fault

    start = time.monotonic()
    with (
        Watch(hosts) as watch,
        Listing(cloud) as listing,
        concurrent.futures.ThreadPoolExecutor(BOOTS) as pool,
    ):
        lives = list(pool.map(live, range(BOOTS)))
    states = collections.Counter(state for _server, state, _fault in lives)
    print(
        f"{BOOTS} servers, {time.monotonic() - start:.0f} s: {dict(states)}, {watch.looks} looks,"
    )
    print(f"most regions owned at once: {watch.most}")
    faults = collections.Counter(fault for _server, _state, fault in lives if fault)
    for fault, count in faults.items():
        print(f"{count} times: {fault}")
    assert watch.twice == set()
    assert 0 < watch.most <= HOSTS * REGIONS
    assert states["ACTIVE"] > 0
    assert [fault for fault in faults if not REFUSED.search(fault)] == []
    wait_until(lambda: all(host.cli.status()["used"] == 0 for host in hosts), 60)
    for host in hosts:
        host.audited()
        assert host.cli.status()["quarantined"] == 0
        assert cloud.node_of(host.name)["fpga_regions_used"] == 0
    for server, _state, _fault in lives:
        assert cloud.allocations_of(server) == {}
