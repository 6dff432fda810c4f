# SPDX-License-Identifier: Apache-2.0
"""Two engines as processes: one counts, and the other one goes on when the first one is killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import typing
import urllib.request
from pathlib import Path

import pytest

from fpga_api.db import schema
from tests.support import api as support
from tests.support import stub_cloud

ROOT = Path(__file__).parents[3]
_PATIENCE = 60
#: Seconds; the default is longer.
_LEASE = 3

_CONF = """
[engine]
lease = {lease}
metrics_port = {port}
[availability]
interval = 1
sources = aggregate
[cache]
backend = dogpile.cache.memory
[database]
connection = {database}
[service_credentials]
{credentials}"""


@pytest.fixture
def keystone() -> typing.Iterator[str]:
    """A Keystone, a Nova without anything beside it; the URL."""
    with stub_cloud.running({"compute": lambda _path: {"flavors": [], "aggregates": []}}) as url:
        yield url


class EngineProcess:
    """An engine; it is killed at the end."""

    def __init__(self, folder: Path, database: str, keystone: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        file = folder / f"{self.port}.conf"
        file.write_text(
            _CONF.format(
                lease=_LEASE,
                port=self.port,
                database=database,
                credentials=stub_cloud.CREDENTIALS.format(url=keystone),
            )
        )
        words = ["-m", "fpga_api.command.serve", "--config-file", str(file), "engine"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen([sys.executable, *words], env=environment)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()

    def metrics(self) -> str:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.port}/metrics"
            with urllib.request.urlopen(url, timeout=10) as answer:
                return str(answer.read().decode())
        return ""

    @property
    def active(self) -> bool:
        return "fpga_engine_active 1.0" in self.metrics()

    @property
    def runs(self) -> bool:
        """Whether it has counted."""
        return 'fpga_task_runs_total{result="success",task="availability"}' in self.metrics()


def wait(condition: typing.Callable[[], bool]) -> float:
    """Wait for something; the seconds that it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < _PATIENCE
        time.sleep(0.05)
    return time.monotonic() - start


@pytest.fixture
def engines(tmp_path: Path, keystone: str) -> typing.Iterator[list[EngineProcess]]:
    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    schema.sync(support.database(url))
    with contextlib.ExitStack() as stack:
        processes = []
        for _ in range(2):
            processes.append(EngineProcess(tmp_path, url, keystone))
            stack.callback(processes[-1].close)
        yield processes


def test_engine_that_is_killed_is_followed(engines: list[EngineProcess]) -> None:
    wait(lambda: any(one.runs for one in engines))
    wait(lambda: all("fpga_engine_active" in one.metrics() for one in engines))
    (first,) = (one for one in engines if one.active)
    (second,) = (one for one in engines if one is not first)
    assert not second.runs
    first.process.send_signal(signal.SIGKILL)
    assert wait(lambda: second.runs) < 30
    assert second.active
    second.process.terminate()
    assert second.process.wait(_PATIENCE) == 0
