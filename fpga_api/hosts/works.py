# SPDX-License-Identifier: Apache-2.0
"""Works of the engine that wait for hosts: some at a time, and one of a name."""

import random
import threading
import typing

from oslo_log import log as logging

from fpga_api import errors

LOG = logging.getLogger(__name__)

_T = typing.TypeVar("_T")


class Works:
    """Works, each in a thread that ends with the process.

    What a work raises is logged: whoever began it looks again, and begins it again.

    :param kind: of the names, for the log
    :param most: works at a time
    """

    def __init__(self, kind: str, most: int) -> None:
        self._kind = kind
        self._most = most
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def begin(self, items: typing.Mapping[str, _T], work: typing.Callable[[_T], None]) -> None:
        """Begin the works of some items whose works do not go on, as far as there is room.

        :param items: by name
        """
        # No order: what has to be begun again and again leaves room to the others.
        for name in random.sample(sorted(items), len(items)):
            with self._lock:
                if name in self._names or len(self._names) >= self._most:
                    continue
                self._names.add(name)
            threading.Thread(
                target=self._run, args=(name, items[name], work), name=name, daemon=True
            ).start()

    def _run(self, name: str, item: _T, work: typing.Callable[[_T], None]) -> None:
        try:
            work(item)
        except errors.ApiError as e:
            LOG.warning("%s %s comes again: %s", self._kind, name, e)
        except Exception:
            # The thread has nobody above it.
            LOG.exception("%s %s comes again", self._kind, name)
        finally:
            with self._lock:
                self._names.discard(name)
