# SPDX-License-Identifier: Apache-2.0
"""Growing pauses between tries that fail, so that neither they nor their words come too often."""

import time
import typing

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0  # seconds between two tries that fail


class Retries:
    """What failed and what was said, by region or by owner and number."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._pauses: dict[str, tuple[float, float]] = {}

    def due(self, name: str) -> bool:
        """Whether it may be tried; not within the pause after a failure."""
        return time.monotonic() >= self._pauses.get(name, (0.0, 0.0))[0]

    def failed(self, name: str, words: str, **log: typing.Any) -> None:
        """It failed: double its pause, and say so if it was not said already.

        :param log: whose it is, for the log
        """
        _, last = self._pauses.get(name, (0.0, _FIRST_PAUSE / 2))
        pause = min(last * 2, _LONGEST_PAUSE)
        self._pauses[name] = (time.monotonic() + pause, pause)
        self.say(name, words, **log)

    def say(self, name: str, words: str, **log: typing.Any) -> None:
        """Log an error, unless it was the last that was said of it."""
        if self._words.get(name) != words:
            LOG.error("%s", words, **log)
        self._words[name] = words

    def done(self, name: str) -> None:
        """It succeeded: nothing of it is remembered."""
        self._words.pop(name, None)
        self._pauses.pop(name, None)

    def keep(self, names: typing.Container[str]) -> None:
        """Forget all that begins with none of these words."""
        for memory in (self._words, self._pauses):
            for name in [name for name in memory if name.partition(" ")[0] not in names]:
                del memory[name]
