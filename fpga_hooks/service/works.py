# SPDX-License-Identifier: Apache-2.0
"""Works that go on beside the answers of the endpoint, each known by an id."""

import collections
import concurrent.futures
import threading
import typing

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

_MOST = 1000  # results that are remembered


class NoThreadError(Exception):
    """This host has no thread for the work."""


class Works:
    """What goes on, and how the latest works ended.

    :param name: what the threads are called
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._futures: collections.OrderedDict[str, concurrent.futures.Future[typing.Any]]
        self._futures = collections.OrderedDict()

    def goes_on(self, work: str) -> bool:
        """Whether a work has begun and not ended."""
        future = self._futures.get(work)
        return future is not None and not future.done()

    def result(self, work: str) -> typing.Any:
        """What came of a work; None for nothing, or while it goes on."""
        future = self._futures.get(work)
        return future.result() if future is not None and future.done() else None

    def begin(
        self,
        work: str,
        run: typing.Callable[[], typing.Any],
        then: typing.Callable[[typing.Any], None] = lambda _result: None,
    ) -> None:
        """Begin a work, which must not go on already.

        :param then: gets the result once whoever waits has it; None where the work failed
        :raises NoThreadError: it cannot begin
        """
        future: concurrent.futures.Future[typing.Any] = concurrent.futures.Future()

        def call() -> None:
            result = None
            try:
                result = run()
            except Exception:
                # The thread has nobody above it; what it left behind, the audit settles.
                LOG.exception("A work for fpga-api failed: %s %s", self._name, work)
            finally:
                future.set_result(result)
            try:
                then(result)
            except Exception:
                LOG.exception("The end of a work is not told: %s %s", self._name, work)

        with self._lock:
            self._futures[work] = future
            while len(self._futures) > _MOST:
                self._futures.popitem(last=False)
        try:
            threading.Thread(target=call, name=f"{self._name} {work}", daemon=True).start()
        except (RuntimeError, MemoryError) as e:
            self.forget(work)
            raise NoThreadError(f"this host cannot start a thread: {e}") from e

    def wait(self, work: str, seconds: float) -> None:
        """Wait for the end of a work, so long at most."""
        future = self._futures.get(work)
        if future is not None and seconds:
            concurrent.futures.wait([future], seconds)

    def forget(self, work: str) -> None:
        """Forget how a work ended."""
        with self._lock:
            self._futures.pop(work, None)
