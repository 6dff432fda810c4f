# SPDX-License-Identifier: Apache-2.0
"""An end to waiting."""

import time


class Deadline:
    """A moment after which waiting ends.

    :param seconds: from now
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.remaining <= 0
