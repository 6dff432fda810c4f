# SPDX-License-Identifier: Apache-2.0
"""Runs tasks, each in a thread of its own, while this process has the lease."""

import threading
import time
import typing

from oslo_log import log as logging

from fpga_api import errors
from fpga_api.engine.metrics import Metrics
from fpga_api.engine.task import Task

LOG = logging.getLogger(__name__)

#: Seconds after which a task that failed is tried again, if its interval is longer.
_RETRY = 30.0

#: Turns of the lease are renewed so often that two may fail.
_RENEWALS = 3

#: Seconds that tasks have for their end when the engine stops.
_PATIENCE = 5.0


class Holder(typing.Protocol):
    """What decides whether this engine is active: `fpga_api.db.leases.Lease`."""

    @property
    def held(self) -> bool:
        """Whether it is."""

    def hold(self) -> bool:
        """Try to be, or to stay so."""

    def release(self) -> None:
        """Let another engine be it."""


class Alone:
    """The lease of an engine that has no database, and therefore no other engine beside it."""

    held = True

    def hold(self) -> bool:
        """It always is."""
        return True

    def release(self) -> None:
        """There is no other one."""


class Engine:
    """An engine.

    :param duration: seconds of a turn of the lease
    """

    def __init__(
        self, tasks: typing.Sequence[Task], lease: Holder, metrics: Metrics, duration: float
    ) -> None:
        self._tasks = tasks
        self._lease = lease
        self._metrics = metrics
        self._pause = duration / _RENEWALS
        self._active = threading.Event()
        self._stop = threading.Event()

    @property
    def active(self) -> bool:
        """Whether its tasks run."""
        return self._active.is_set()

    def stop(self) -> None:
        """Have `run` come to its end; may be called by a handler of a signal."""
        self._stop.set()
        self._active.set()

    def run(self) -> None:
        """Run until `stop` is called; then the lease is given back."""
        threads = [
            threading.Thread(target=self._repeat, args=(task,), name=task.name, daemon=True)
            for task in self._tasks
        ]
        for thread in threads:
            thread.start()
        while not self._stop.is_set():
            self._renew()
            self._stop.wait(self._pause)
        self._metrics.activate(False)
        end = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        try:
            self._lease.release()
        except errors.DatabaseUnavailable as e:
            LOG.warning("The lease is not given back, and runs out by itself: %s", e)

    def _renew(self) -> None:
        try:
            self._lease.hold()
        except errors.DatabaseUnavailable as e:
            LOG.warning("The lease is not renewed: %s", e)
        held, active = self._lease.held, self.active
        if held != active:
            LOG.info("This engine is %s now", "active" if held else "not active any more")
        self._metrics.activate(held)
        if held or self._stop.is_set():
            self._active.set()
        else:
            self._active.clear()

    def _repeat(self, task: Task) -> None:
        self._metrics.schedule(task.name, task.interval)
        while self._active.wait() and not self._stop.is_set():
            if not self._lease.held:
                # A database that does not answer for long: another engine may be active.
                self._active.clear()
                continue
            start = time.monotonic()
            success = self._run(task)
            seconds = time.monotonic() - start
            self._metrics.record(task.name, seconds, success)
            pause = task.interval if success else min(task.interval, _RETRY)
            self._stop.wait(max(0.0, pause - seconds))

    def _run(self, task: Task) -> bool:
        try:
            task.run()
        except errors.Unavailable as e:
            LOG.warning("Task %s failed: %s", task.name, e)
        except Exception:
            # Whatever it is, a task that ended for ever would let what it publishes grow old.
            LOG.exception("Task %s failed", task.name)
        else:
            return True
        return False
