# SPDX-License-Identifier: Apache-2.0
"""What a server says on standard error: no more than its log has room for, whatever clients do."""

import sys
import time

#: Seconds after which there is room for another line.
PAUSE = 60.0


class Log:
    """Lines on standard error.

    :param most: lines at once; then there is one each minute, so that what happens later is seen
    """

    def __init__(self, most: int = 1000) -> None:
        self._most = self._room = float(most)
        self._seen = time.monotonic()
        self._omitted = 0

    def say(self, text: str) -> None:
        """Write a line, if there is room for it."""
        now = time.monotonic()
        self._room = min(self._most, self._room + (now - self._seen) / PAUSE)
        self._seen = now
        if self._room < 1:
            self._omitted += 1
            return
        self._room -= 1
        if self._omitted:
            text = f"{text} ({self._omitted} lines before it were left out)"
            self._omitted = 0
        print(text, file=sys.stderr, flush=True)
