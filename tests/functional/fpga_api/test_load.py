# SPDX-License-Identifier: Apache-2.0
"""200 clients of two processes of the API, which are killed meanwhile, read no wrong answer.

The test publishes in the place of the engine, whose own fail-over is in test_engines.py.
``FPGA_NOVA_ALL_POINTS`` has it last two minutes.
"""

import collections
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import typing
from pathlib import Path

import pytest

from fpga_api.publication import Publication
from tests.support import api as support
from tests.support import memcached

ROOT = Path(__file__).parents[3]
CLIENTS = 200
SECONDS = 120 if os.environ.get("FPGA_NOVA_ALL_POINTS") else 6
#: Seconds between two kills, of which each is of another process.
_BETWEEN_KILLS = 2
_TIMEOUT = 30

_CONF = """
[fpga_api]
port = {port}
[availability]
public = true
[cache]
backend = dogpile.cache.pymemcache
memcache_servers = 127.0.0.1:{memcached}
[keystone_authtoken]
www_authenticate_uri = http://127.0.0.1:1
service_token_roles_required = true
"""


def document(number: int) -> dict[str, typing.Any]:
    """A document of which each number follows from the others."""
    flavors = [
        {
            "id": str(one),
            "name": f"fpga-{one}",
            "public": True,
            "projects": [],
            "free": number,
            "total": number + one,
            "counts": {},
            "accelerators": {"CUSTOM_FPGA_REGION": 1},
            "limited": {},
            "source": "placement",
            "error": None,
        }
        for one in range(20)
    ]
    return {"flavors": flavors, "complete": True}


class Process:
    """A process of the API, which starts again after each kill."""

    def __init__(self, folder: Path, cache: int) -> None:
        self.port = memcached.free_port()
        self._file = folder / f"{self.port}.conf"
        self._file.write_text(_CONF.format(port=self.port, memcached=cache))
        self._start()

    def _start(self) -> None:
        words = ["-m", "fpga_api.command.serve", "--config-file", str(self._file), "serve"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen([sys.executable, *words], env=environment)
        memcached.attempt(self.numbers, OSError)

    def numbers(self) -> list[tuple[int, int, int]]:
        """The flavors that it answers with: id, free, total."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/availability")
            answer = connection.getresponse()
            body = json.loads(answer.read())
        assert answer.status == 200, body
        assert not body["stale"]
        return [(int(one["id"]), one["free"], one["total"]) for one in body["flavors"]]

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and have it back."""
        self.kill()
        self._start()


class Client:
    """Asks the processes in turns, and keeps what it saw go wrong."""

    def __init__(self, processes: list[Process], end: threading.Event) -> None:
        self._processes, self._end = collections.deque(processes), end
        self._last = 0
        self.answers, self.refused = 0, 0
        self.wrong: list[object] = []

    def run(self) -> None:
        """Ask until the end."""
        while not self._end.is_set():
            self._processes.rotate()
            try:
                self._look(self._processes[0].numbers())
            except (OSError, http.client.HTTPException):
                self.refused += 1  # it was killed
            except (AssertionError, ValueError) as e:
                self.wrong.append(e)

    def _look(self, numbers: list[tuple[int, int, int]]) -> None:
        self.answers += 1
        free = numbers[0][1]
        if numbers != [(one, free, free + one) for one in range(20)] or free < self._last:
            self.wrong.append((self._last, numbers))
        self._last = free


@pytest.fixture
def processes(tmp_path: Path) -> typing.Iterator[tuple[Publication, list[Process]]]:
    port = memcached.free_port()
    with memcached.running(port), contextlib.ExitStack() as stack:
        publication = Publication.of(support.configuration(cache=memcached.options(port)))
        publication.publish("availability", document(0), 15)
        started = []
        for _ in range(2):
            started.append(Process(tmp_path, port))
            stack.callback(started[-1].kill)
        yield publication, started


def test_many_clients_read_nothing_wrong_while_processes_are_killed(
    processes: tuple[Publication, list[Process]],
) -> None:
    publication, started = processes
    end = threading.Event()
    clients = [Client(started, end) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=one.run) for one in clients]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    number, kills = 0, 0
    while (past := time.monotonic() - start) < SECONDS or kills < 2:
        number += 1
        publication.publish("availability", document(number), 15)
        if past > (kills + 1) * _BETWEEN_KILLS:
            started[kills % 2].restart()
            kills += 1
        time.sleep(0.05)
    end.set()
    for thread in threads:
        thread.join()
    assert [one for client in clients for one in client.wrong] == []
    answers = sum(client.answers for client in clients)
    print(f"{answers} answers, {sum(client.refused for client in clients)} refused, {kills} kills")
    assert answers > CLIENTS
