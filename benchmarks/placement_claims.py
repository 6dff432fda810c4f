#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How many regions Placement gives when many ask at once, by its number of retries.

Placement itself runs in this process, with a MariaDB of its own. Claims are as Nova makes them: one
that meets a conflict is tried again, four times in all. Run it in the environment `functional`:

    .tox/functional/bin/python benchmarks/placement_claims.py
"""

import argparse
import collections
import concurrent.futures
import json
import logging
import random
import sys
import time
import typing
import uuid
from pathlib import Path

import webob
from oslo_config import cfg

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import figures  # noqa: E402
from placement import conf as placement_conf  # noqa: E402
from placement import db_api, deploy  # noqa: E402

from tests.functional.servers import MariaDB  # noqa: E402

REGIONS, CLAIMS, THREADS = 8, 16, 8
#: Placement's default, and what docs/operator.md has operators set.
SETTINGS = (10, 1)
#: How often Nova tries, and the most seconds that it waits before each try but the first.
_TRIES, _PAUSE = 4, 2.0

Answer = typing.Literal["granted", "refused", "conflict"]


class Placement:
    """The service, as an administrator asks it.

    :param url: of an empty database
    """

    def __init__(self, url: str) -> None:
        self.conf = cfg.ConfigOpts()
        placement_conf.register_opts(self.conf)
        self.conf.set_override("connection", url, group="placement_database")
        self.conf.set_override("sync_on_startup", True, group="placement_database")
        self.conf.set_override("auth_strategy", "noauth2", group="api")
        self.conf([], project="placement", default_config_files=[])
        db_api.configure(self.conf)
        self._app = deploy.loadapp(self.conf)
        self.ask("PUT", "/resource_classes/CUSTOM_FPGA_REGION")

    def ask(self, method: str, path: str, body: object = None) -> webob.Response:
        """Ask it something; the answer, whatever its status."""
        request = webob.Request.blank(path, method=method)
        request.headers["X-Auth-Token"] = "admin"
        request.headers["OpenStack-API-Version"] = "placement 1.28"
        if body is not None:
            request.content_type, request.body = "application/json", json.dumps(body).encode()
        return request.get_response(self._app)

    def offer(self) -> str:
        """Make a provider with free regions; its uuid."""
        provider = str(uuid.uuid4())
        answer = self.ask("POST", "/resource_providers", {"uuid": provider, "name": provider})
        assert answer.status_int == 200, answer.text  # noqa: S101
        sizes = {"VCPU": 64, "MEMORY_MB": 65536, "CUSTOM_FPGA_REGION": REGIONS}
        inventories = {kind: {"total": total} for kind, total in sizes.items()}
        body = {"resource_provider_generation": 0, "inventories": inventories}
        answer = self.ask("PUT", f"/resource_providers/{provider}/inventories", body)
        assert answer.status_int == 200, answer.text  # noqa: S101
        return provider

    def claim(self, provider: str) -> tuple[Answer, int]:
        """Claim a region as Nova does; what became of it, and the tries that it took."""
        consumer = str(uuid.uuid4())
        resources = {"VCPU": 1, "MEMORY_MB": 512, "CUSTOM_FPGA_REGION": 1}
        body = {
            "allocations": {provider: {"resources": resources}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
        }
        for tries in range(1, _TRIES + 1):
            answer = self.ask("PUT", f"/allocations/{consumer}", body)
            if answer.status_int == 204:
                return "granted", tries
            code = answer.json["errors"][0].get("code")
            if code != "placement.concurrent_update":
                return "refused", tries
            time.sleep(random.uniform(0, tries * _PAUSE))
        return "conflict", _TRIES


def contend(placement: Placement) -> dict[str, int]:
    """All claims at once; how many became what."""
    provider = placement.offer()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        claims = list(pool.map(placement.claim, [provider] * CLAIMS))
    counted = collections.Counter(outcome for outcome, _ in claims)
    return {**counted, "most tries": max(tries for _, tries in claims)}


def measure(placement: Placement, setting: int, runs: int) -> dict[str, typing.Any]:
    """What several runs gave."""
    placement.conf.set_override("allocation_conflict_retry_count", setting, group="placement")
    start = time.perf_counter()
    found = [contend(placement) for _ in range(runs)]
    granted = [one.get("granted", 0) for one in found]
    return {
        "granted": f"{min(granted)} to {max(granted)} of {REGIONS}",
        "runs with too many": f"{sum(one > REGIONS for one in granted)} of {runs}",
        "claims given up": sum(one.get("conflict", 0) for one in found),
        "most tries": max(one["most tries"] for one in found),
        "seconds": round((time.perf_counter() - start) / runs, 1),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="runs of each setting (default: 20)")
    parser.add_argument(
        "--retries", type=int, nargs="+", default=SETTINGS, help="settings (default: 10 1)"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with MariaDB() as server:
        server.execute("CREATE DATABASE placement")
        placement = Placement(server.url("placement"))
        rows = {
            f"retries {setting}": measure(placement, setting, arguments.n)
            for setting in arguments.retries
        }
        db_api.get_placement_engine().dispose()
    figures.report(rows, arguments.json, claims=CLAIMS, threads=THREADS)


if __name__ == "__main__":
    main()
