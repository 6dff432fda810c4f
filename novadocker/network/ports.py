# SPDX-License-Identifier: Apache-2.0
"""The ports of an instance that is built, while Neutron may still be at them."""

import concurrent.futures
import typing

from novadocker.network import beside

if typing.TYPE_CHECKING:
    from nova.network import model


class Ports:
    """The ports of an instance.

    :param found: has them, or what failed, at its end
    :ivar expected: whether there may be some, which is known before they are
    """

    def __init__(self, found: "concurrent.futures.Future[list[model.VIF]]", expected: bool) -> None:
        self._found = found
        self.expected = expected

    @classmethod
    def known(cls, vifs: "typing.Iterable[model.VIF]") -> "Ports":
        """Ports that Neutron has allocated."""
        found: concurrent.futures.Future[list[model.VIF]] = concurrent.futures.Future()
        found.set_result(list(vifs))
        return cls(found, bool(found.result()))

    @classmethod
    def awaited(cls, find: "typing.Callable[[], list[model.VIF]]", name: str) -> "Ports":
        """Ports that Neutron may still be allocating.

        :param find: waits for them; called once, in a thread
        :param name: of the thread
        :raises novadocker.errors.PlugFailed: the host has no thread for it
        """
        return cls(beside.start(find, name), True)

    def all(self) -> "list[model.VIF]":
        """All of them, once Neutron has allocated them.

        :raises Exception: what `find` raised
        """
        return self._found.result()
