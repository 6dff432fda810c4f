# SPDX-License-Identifier: Apache-2.0
"""The regions of many hosts, some of them dead: a real broker, engine, memcached and service.

``FPGA_NOVA_ALL_POINTS`` has it run, on 1,000 hosts of which 50 die; ``FPGA_NOVA_HOSTS`` is another
number of them.
"""

import collections
import contextlib
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
import typing
import urllib.request
import uuid
from pathlib import Path

import pytest

from fpga_api.db import schema
from fpga_nova import traits
from tests.functional.fpga_api import many_hosts
from tests.support import api as support
from tests.support import broker, memcached, stub_cloud

ROOT = Path(__file__).parents[3]
HOSTS = int(os.environ.get("FPGA_NOVA_HOSTS", 1000))
DEAD = HOSTS // 20
_PROCESSES = 4
#: Seconds between questions to all hosts, whose processes share the cores of one machine here.
_INTERVAL = 30
_REQUESTS = 100
_PATIENCE = 240

_CONF = """
[fpga_api]
port = {port}
[engine]
metrics_port = {metrics}
[cache]
memcache_servers = 127.0.0.1:{cache}
[database]
connection = sqlite:///{folder}/fpga.sqlite
[hosts]
transport_url = {broker}
interval = {interval}
[service_credentials]
{credentials}
[keystone_authtoken]
www_authenticate_uri = {keystone}
service_token_roles_required = true
{credentials}
"""


def _placement(path: str) -> typing.Any:
    if path == "traits":
        return {"traits": [traits.FPGA]}
    providers = [_provider(number) for number in range(HOSTS)]
    return {"resource_providers": providers, "resource_classes": []}


def _provider(number: int) -> dict[str, typing.Any]:
    identity = str(uuid.UUID(int=number + 1))
    name = many_hosts.name(number)
    return {"uuid": identity, "name": name, "root_provider_uuid": identity, "generation": 1}


def _nova(path: str) -> typing.Any:
    if path == "os-hypervisors/detail":
        hosts = [_provider(number) for number in range(HOSTS)]
        return {
            "hypervisors": [{"id": one["uuid"], "service": {"host": one["name"]}} for one in hosts]
        }
    return {"flavors": [], "aggregates": [], "services": []}


class Stage:
    """The processes."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        cache, self._port, self._metrics = (memcached.free_port() for _ in range(3))
        stack.enter_context(memcached.running(cache))
        self._broker = stack.enter_context(broker.Broker())
        services = {"placement": _placement, "compute": _nova, "image": lambda _: {"images": []}}
        url = stack.enter_context(stub_cloud.running(services))
        self._file = folder / "fpga-api.conf"
        self._file.write_text(
            _CONF.format(
                port=self._port,
                metrics=self._metrics,
                cache=cache,
                folder=folder,
                broker=self._broker.url,
                interval=_INTERVAL,
                keystone=url,
                credentials=stub_cloud.CREDENTIALS.format(url=url),
            )
        )
        schema.sync(support.database(f"sqlite:///{folder}/fpga.sqlite"))

    def host_processes(self) -> subprocess.Popen[str]:
        """Start them; the one of the hosts that are to die."""
        bounds = [DEAD + number * (HOSTS - DEAD) // _PROCESSES for number in range(_PROCESSES + 1)]
        ranges = zip([0, *bounds], bounds, strict=False)
        module = many_hosts.__name__
        processes = [
            self._start(["-m", module, self._broker.url, str(first), str(end - first)])
            for first, end in ranges
        ]
        for process in processes:
            assert process.stdout and process.stdout.readline() == "ready\n"
        return processes[0]

    def service(self) -> None:
        """Start the engine, and one process of the API."""
        for verb in ("engine", "serve"):
            words = ["-m", "fpga_api.command.serve", "--config-file", str(self._file), verb]
            self._start(words)

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def get(self, path: str) -> typing.Any:
        """What the API answers an administrator."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=support.PERSONAS["admin"].headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
        assert answer.status == 200, body
        return body

    def silent(self, number: int) -> None:
        """Wait until all hosts have been asked, and so many did not answer."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(OSError, AssertionError):
                if len(self.get("/v1/regions?limit=1")["unreachable"]) == number:
                    return
            time.sleep(0.5)
        raise AssertionError(f"there are not {number} hosts that do not answer")

    def median(self) -> float:
        """Milliseconds of an answer with all regions that one page has."""
        times = []
        for _ in range(_REQUESTS):
            start = time.perf_counter()
            answer = self.get("/v1/regions")
            times.append(1000 * (time.perf_counter() - start))
            assert not answer["stale"]
        return statistics.median(times)

    def refresh(self) -> tuple[float, int]:
        """Seconds of all questions to all hosts so far, and how often they were asked."""
        url = f"http://127.0.0.1:{self._metrics}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        found = dict(re.findall(r'fpga_task_seconds_(sum|count)\{task="hosts"\} (\S+)', text))
        return float(found["sum"]), int(float(found["count"]))


@pytest.fixture
def stage(tmp_path: Path) -> typing.Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path, stack)


@pytest.mark.skipif(
    "FPGA_NOVA_ALL_POINTS" not in os.environ, reason="it takes minutes: set FPGA_NOVA_ALL_POINTS"
)
@pytest.mark.timeout(900)
def test_dead_hosts_delay_no_answer(stage: Stage) -> None:
    mortal = stage.host_processes()
    stage.service()
    stage.silent(0)
    before = stage.refresh()
    alive = stage.median()
    mortal.send_signal(signal.SIGSTOP)
    stage.silent(DEAD)
    answer = stage.get("/v1/regions")
    assert answer["unreachable"] == [many_hosts.name(number) for number in range(DEAD)]
    hosts = collections.Counter(card["host"] for card in _all(stage, "/v1/cards", "cards"))
    assert len(hosts) == HOSTS
    regions = collections.Counter(one["host"] for one in _all(stage, "/v1/regions", "regions"))
    assert regions == {many_hosts.name(n): many_hosts.REGIONS for n in range(DEAD, HOSTS)}
    middle = stage.refresh()
    dead = stage.median()
    stage.silent(DEAD)
    after = stage.refresh()
    mortal.send_signal(signal.SIGCONT)
    stage.silent(0)
    asked = [
        (later[0] - earlier[0]) / max(1, later[1] - earlier[1])
        for earlier, later in ((before, middle), (middle, after))
    ]
    print(
        f"{HOSTS} hosts: GET /v1/regions {alive:.1f} ms, with {DEAD} dead {dead:.1f} ms; "
        f"all asked in {before[0] / max(1, before[1]):.1f} s, then {asked}"
    )
    # What a dead host would cost is 2 s.
    assert dead < 2 * alive + 50


def _all(stage: Stage, path: str, name: str) -> list[typing.Any]:
    found: list[typing.Any] = []
    while path:
        page = stage.get(path)
        found += page[name]
        path = page["next"]
    return found
