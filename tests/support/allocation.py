# SPDX-License-Identifier: Apache-2.0
"""Ports that Neutron allocates while a server is built, as Nova's driver interface has them."""

import threading
import typing

from nova.network import model


class Allocation(model.NetworkInfoAsyncWrapper):  # type: ignore[misc]
    """Nova's list of ports, without the threads that Nova keeps for all of its tests.

    :param answer: called in a thread; gives the ports, or raises what Neutron refused
    """

    def __init__(self, answer: typing.Callable[[], typing.Iterable[model.VIF]]) -> None:
        list.__init__(self)
        self._vifs: list[model.VIF] = []
        self._failure: Exception | None = None

        def run() -> None:
            try:
                self._vifs = list(answer())
            except Exception as e:
                self._failure = e

        self._thread = threading.Thread(target=run, name="Neutron", daemon=True)
        self._thread.start()

    def wait(self, do_raise: bool = True) -> None:
        """Wait for the answer; as with Nova's, only the first who does hears of a failure."""
        self._thread.join()
        self[:], self._vifs = self._vifs or list.copy(self), []
        failure, self._failure = self._failure, None
        if failure is not None and do_raise:
            raise failure
