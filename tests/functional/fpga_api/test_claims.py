# SPDX-License-Identifier: Apache-2.0
"""Claims where many ask at once: real databases, a real Placement and a real broker."""

import concurrent.futures
import datetime
import threading
import time
import typing

import pytest

from fpga_api import clock
from fpga_api.claims import work
from fpga_api.db import claims
from tests.functional import servers
from tests.support import claims as support
from tests.support.broker import Broker
from tests.support.fpga_host import FakeHost

pytestmark = pytest.mark.xdist_group("claims")

CLAIMS, REGIONS, THREADS = 200, 8, 16
#: Seconds; on a busy machine all claims take a minute.
_PATIENCE = 240


@pytest.fixture(scope="module")
def broker() -> typing.Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="module", params=[servers.MariaDB, servers.PostgreSQL])
def server(request: pytest.FixtureRequest) -> typing.Iterator[servers.Server]:
    with request.param() as server:
        yield server


@pytest.fixture(params=[10, 1])
def cloud(
    request: pytest.FixtureRequest, server: servers.Server, broker: Broker
) -> typing.Iterator[support.Cloud]:
    """Two hosts with four regions each.

    :param request: the number of Placement's retries
    """
    names = [f"{name}{request.param}" for name in ("placement", "fpga")]
    for name in names:
        server.execute(f"CREATE DATABASE {name}")
    hosts = {f"host{n}": FakeHost(REGIONS // 2, f"card{n}") for n in range(2)}
    urls = [server.url(name) for name in names]
    pool = {"max_pool_size": 20, "max_overflow": 20}
    with support.cloud(
        *urls, hosts, broker.url, request.param, database={"connection": urls[1], **pool}
    ) as cloud:
        yield cloud
        cloud.service.database.engine.dispose()


class Engine(threading.Thread):
    """An engine that looks again and again until it is killed."""

    def __init__(self, cloud: support.Cloud) -> None:
        super().__init__(daemon=True)
        self._work = work.Work(cloud.service)
        self._end = threading.Event()

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        while not self._end.wait(0.2):
            self._work.run()


def _states(cloud: support.Cloud, ids: typing.Iterable[str]) -> dict[str, str]:
    found = claims.page(cloud.service.database, "", 1000, None, None)
    return {one.id: one.state for one in found if one.id in set(ids)}


def _wait(cloud: support.Cloud, ids: list[str], states: set[str]) -> dict[str, str]:
    end = time.monotonic() + _PATIENCE
    while set((found := _states(cloud, ids)).values()) - states:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def test_of_many_claims_as_many_are_active_as_there_are_regions(cloud: support.Cloud) -> None:
    with Engine(cloud), concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: cloud.claim(), range(CLAIMS)))
        assert {one.status_code for one in answers} == {202, 409}
        ids = [one.json["claim"]["id"] for one in answers if one.status_code == 202]
        found = _wait(cloud, ids, {"active", "failed"})
        active = {one for one, state in found.items() if state == "active"}
        assert len(active) == REGIONS
        assert cloud.owners() == active
        assert set(cloud.allocated()) == active

        list(pool.map(lambda one: cloud.api.call("DELETE", f"/v1/claims/{one}", "admin"), active))
        _wait(cloud, list(active), {"released"})
        assert cloud.owners() == set()
        assert cloud.allocated() == {}


def test_claim_that_expires_without_an_engine_is_free_soon_after_it_is_back(
    cloud: support.Cloud,
) -> None:
    with Engine(cloud):
        claim = cloud.claim(ttl=5).json["claim"]["id"]
        _wait(cloud, [claim], {"active"})
    past = clock.now() - datetime.timedelta(seconds=5)
    claims.change(cloud.service.database, claim, claims.HELD, expires_at=past)
    time.sleep(1)
    assert set(cloud.allocated()) == {claim}
    with Engine(cloud):
        start = time.monotonic()
        assert _wait(cloud, [claim], {"expired"}) == {claim: "expired"}
        assert time.monotonic() - start < 60
    assert cloud.owners() == set()
    assert cloud.allocated() == {}
