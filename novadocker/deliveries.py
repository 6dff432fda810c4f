# SPDX-License-Identifier: Apache-2.0
"""Hands what happened to containers to Nova, one instance at a time, the newest event of each."""

import threading
import time
import typing

from nova.virt import event as virt_event


class Deliveries:
    """Events on their way to Nova.

    :param emit: gets each; may take long
    """

    def __init__(self, emit: typing.Callable[[virt_event.Event], None]) -> None:
        self._emit = emit
        self._changed = threading.Condition()
        self._ended = False
        #: When each instance's event is due, by the monotonic clock, and its transition.
        self._waiting: dict[str, tuple[float, int]] = {}

    def put(self, uuid: str, transition: int, delay: float = 0) -> None:
        """Deliver an event in place of an older one of the instance that still waits.

        One that waits already is not put off by the same again.

        :param transition: one of Nova's ``EVENT_LIFECYCLE_…``
        :param delay: seconds for which a newer one may take its place
        """
        due = time.monotonic() + delay
        with self._changed:
            waiting = self._waiting.get(uuid)
            if waiting and waiting[1] == transition:
                due = min(due, waiting[0])
            self._waiting[uuid] = (due, transition)
            self._changed.notify()

    def stop(self) -> None:
        """Have `run` return; what waits is dropped."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def run(self) -> None:
        """Deliver what comes, until `stop`."""
        while (due := self._next()) is not None:
            self._emit(virt_event.LifecycleEvent(*due))

    def _next(self) -> tuple[str, int] | None:
        """Wait for an event that is due; None at the end."""
        with self._changed:
            while not self._ended:
                if not self._waiting:
                    self._changed.wait()
                    continue
                uuid = min(self._waiting, key=self._waiting.__getitem__)
                due, transition = self._waiting[uuid]
                rest = due - time.monotonic()
                if rest <= 0:
                    del self._waiting[uuid]
                    return uuid, transition
                self._changed.wait(rest)
        return None
