# SPDX-License-Identifier: Apache-2.0
"""One engine is active, goes on after failures, and leaves its place to another one."""

import threading
import typing
from pathlib import Path

import pytest
from prometheus_client import exposition

from fpga_api import errors
from fpga_api.db import connection, schema
from fpga_api.db.leases import Lease
from fpga_api.engine.daemon import Alone, Engine, Holder
from fpga_api.engine.metrics import Metrics
from fpga_api.engine.task import Task
from tests.support import api as support

_PATIENCE = 20


class Runs:
    """A task that counts its runs, and fails as often as it is said to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.done = threading.Semaphore(0)

    def __call__(self) -> None:
        self.done.release()
        if self.failures:
            raise self.failures.pop()

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.done.acquire(timeout=_PATIENCE)


class Process:
    """An engine in a thread."""

    def __init__(self, lease: Holder, *tasks: Task, duration: float = 0.3) -> None:
        self.metrics = Metrics(lambda: ())
        self.engine = Engine(tasks, lease, self.metrics, duration)
        self.thread = threading.Thread(target=self.engine.run, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.engine.stop()
        self.thread.join(_PATIENCE)
        assert not self.thread.is_alive()

    def text(self) -> str:
        return exposition.generate_latest(self.metrics.registry).decode()


@pytest.fixture
def database(tmp_path: Path) -> connection.Database:
    database = support.database(f"sqlite:///{tmp_path / 'fpga.sqlite'}")
    schema.sync(database)
    return database


def lease(database: connection.Database, owner: str, duration: float = 0.3) -> Lease:
    return Lease(database, "engine", owner, duration)


@pytest.mark.parametrize("failure", [errors.CloudUnavailable("no"), ZeroDivisionError()])
def test_task_that_fails_runs_again(failure: Exception) -> None:
    runs = Runs(failure)
    process = Process(Alone(), Task("count", 0.01, runs))
    runs.wait(3)
    process.stop()
    text = process.text()
    assert 'fpga_task_runs_total{result="failure",task="count"} 1.0' in text
    assert 'fpga_task_interval_seconds{task="count"} 0.01' in text
    assert "fpga_engine_active 0.0" in text


def test_task_that_hangs_stops_neither_the_others_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fpga_api.engine.daemon._PATIENCE", 0.01)
    forever, runs = threading.Event(), Runs()
    process = Process(Alone(), Task("hang", 1, lambda: forever.wait() and None), Task("a", 0, runs))
    runs.wait(3)
    process.stop()
    forever.set()


def test_engine_that_stops_leaves_its_place_at_once(database: connection.Database) -> None:
    first, second = Runs(), Runs()
    active = Process(lease(database, "1", 600), Task("count", 0.01, first), duration=0.1)
    first.wait()
    standby = Process(lease(database, "2", 600), Task("count", 0.01, second), duration=0.1)
    assert not second.done.acquire(timeout=0.3)
    assert "fpga_engine_active 0.0" in standby.text()
    active.stop()
    second.wait()
    assert "fpga_engine_active 1.0" in standby.text()
    standby.stop()


def test_engine_that_dies_is_followed_when_its_lease_has_run_out(
    database: connection.Database,
) -> None:
    assert lease(database, "dead").hold()
    runs = Runs()
    process = Process(lease(database, "2"), Task("count", 0.01, runs))
    runs.wait()
    process.stop()


class Failing(Alone):
    """A lease whose database is gone from some time on."""

    def __init__(self) -> None:
        self.held = True
        self.asked = threading.Semaphore(0)

    def hold(self) -> bool:
        self.asked.release()
        if not self.held:
            raise errors.DatabaseUnavailable("gone")
        return True

    def release(self) -> None:
        raise errors.DatabaseUnavailable("gone")


def test_engine_without_its_database_does_nothing_when_the_lease_has_run_out() -> None:
    runs, failing = Runs(), Failing()
    process = Process(failing, Task("count", 0.001, runs), duration=0.03)
    runs.wait(2)
    failing.held = False
    for _ in range(200):
        failing.asked.acquire(timeout=_PATIENCE)
        if not process.engine.active:
            break
    while runs.done.acquire(blocking=False):
        pass
    assert not runs.done.acquire(timeout=0.1)
    failing.held = True
    runs.wait()
    process.stop()


def test_metrics_have_the_flavors() -> None:
    def flavor(**members: typing.Any) -> dict[str, typing.Any]:
        return {"id": "1", "name": 'a"b', "source": "placement", "error": None} | members

    metrics = Metrics(
        lambda: [flavor(free=3, total=4), flavor(id="2", error={"code": "fpga.flavor_invalid"})]
    )
    text = exposition.generate_latest(metrics.registry).decode()
    labels = 'name="a\\"b",source="placement"'
    assert f'fpga_flavor_free{{flavor="1",{labels}}} 3.0' in text
    assert f'fpga_flavor_total{{flavor="1",{labels}}} 4.0' in text
    assert 'code="fpga.flavor_invalid",flavor="2"' in text
