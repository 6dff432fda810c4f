#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many claims are active when many ask at once for few regions, and how soon one is free again.

The API, the engine and Placement run in this process, with MariaDB or PostgreSQL and RabbitMQ of
their own; the hosts are in memory. Run it in the environment `functional`:

    .tox/functional/bin/python benchmarks/claims.py
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import logging
import sys
import threading
import time
import typing
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import figures  # noqa: E402

from fpga_api import clock  # noqa: E402
from fpga_api.claims import work  # noqa: E402
from fpga_api.db import claims  # noqa: E402
from tests.functional import servers  # noqa: E402
from tests.support import claims as support  # noqa: E402
from tests.support.broker import Broker  # noqa: E402
from tests.support.fpga_host import FakeHost  # noqa: E402
from tests.support.placement import Placement  # noqa: E402

CLAIMS, REGIONS, THREADS = 200, 8, 16
#: Placement's default, and what docs/operator.md has operators set.
SETTINGS = (10, 1)
SERVERS = {"mariadb": servers.MariaDB, "postgresql": servers.PostgreSQL}
#: Seconds; on a busy machine all claims take minutes.
_PATIENCE = 600


class Engine(threading.Thread):
    """An engine that looks again and again; at the end of the block it is gone."""

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
        """Look until the end of the block."""
        while not self._end.wait(0.2):
            self._work.run()


def settle(cloud: support.Cloud, ends: set[str]) -> dict[str, str]:
    """The claims by state, as soon as all are in some states.

    :raises RuntimeError: they are not in time
    """
    end = time.monotonic() + _PATIENCE
    while True:
        found = {
            one.id: one.state for one in claims.page(cloud.service.database, "", 1000, None, None)
        }
        if not set(found.values()) - ends:
            return found
        if time.monotonic() > end:
            raise RuntimeError(f"after {_PATIENCE} seconds: {found}")
        time.sleep(0.1)


def contend(cloud: support.Cloud) -> dict[str, typing.Any]:
    """All claims at once, and all released again."""
    start = time.perf_counter()
    with Engine(cloud), concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: cloud.claim().status_code, range(CLAIMS)))
        asked = time.perf_counter() - start
        found = settle(cloud, {"active", "failed"})
        settled = time.perf_counter() - start
        active = {one for one, state in found.items() if state == "active"}
        figure = {
            "accepted": answers.count(202),
            "other answers": sorted(set(answers) - {202}),
            "active": len(active),
            "allocations": len(cloud.allocated()),
            "regions held": len(cloud.owners()),
            "agree": set(cloud.allocated()) == active == cloud.owners(),
        }
        list(pool.map(lambda one: cloud.api.call("DELETE", f"/v1/claims/{one}", "admin"), active))
        settle(cloud, {"released", "failed"})
    remainder = len(cloud.allocated()) + len(cloud.owners())
    return figure | {
        "left over": remainder,
        "seconds to ask": round(asked, 1),
        "seconds to settle": round(settled, 1),
    }


def expire(cloud: support.Cloud) -> float:
    """Seconds after which an expired claim is free, from the start of an engine."""
    with Engine(cloud):
        claim = cloud.claim(ttl=5).json["claim"]["id"]
        settle(cloud, {"active", "failed", "released"})
    past = clock.now() - datetime.timedelta(seconds=5)
    claims.change(cloud.service.database, claim, claims.HELD, expires_at=past)
    start = time.perf_counter()
    with Engine(cloud):
        settle(cloud, {"expired", "failed", "released"})
    if cloud.allocated() or cloud.owners():
        raise RuntimeError("an expired claim has left something")
    return round(time.perf_counter() - start, 1)


@contextlib.contextmanager
def clouds(kind: str) -> typing.Iterator[typing.Callable[[int], typing.Any]]:
    """What makes a cloud for a number of Placement's retries."""
    with SERVERS[kind]() as server, Broker() as broker:
        server.execute("CREATE DATABASE placement")
        placement = Placement(server.url("placement"))

        def cloud(retries: int) -> typing.Any:
            placement.conf.set_override(
                "allocation_conflict_retry_count", retries, group="placement"
            )
            server.execute(f"CREATE DATABASE fpga{retries}")
            url = server.url(f"fpga{retries}")
            hosts = {f"host{n}": FakeHost(REGIONS // 2, f"card{n}") for n in range(2)}
            database = {"connection": url, "max_pool_size": 20, "max_overflow": 20}
            # As many as ask at once, with those that may not wait for others.
            api = {"threads": 2 * THREADS}
            return support.cloud(placement, url, hosts, broker.url, database=database, fpga_api=api)

        yield cloud
        placement.close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--retries", type=int, nargs="+", default=SETTINGS, help="(default: 10 1)")
    parser.add_argument("--database", choices=SERVERS, default="mariadb")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    rows: dict[str, typing.Any] = {}
    with clouds(arguments.database) as make:
        for retries in arguments.retries:
            with make(retries) as cloud:
                rows[f"retries {retries}"] = contend(cloud)
                rows[f"retries {retries}"]["seconds to expire"] = expire(cloud)
    figures.report(rows, arguments.json, claims=CLAIMS, regions=REGIONS, threads=THREADS)


if __name__ == "__main__":
    main()
