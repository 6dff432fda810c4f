# SPDX-License-Identifier: Apache-2.0
"""Asks the virt driver which guests have which nodes of this host, whoever made the guests.

A region must not be erased, and given to another, while a guest may still have its devices. Only
the virt driver knows; one that passes regions to its guests registers a probe here. A guest is
found by the devices that it has, not by the name of its host or of its instance: both change, and
another nova-compute may use the same engine.
"""

import dataclasses
import os
import pathlib
import stat
import typing


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest on this machine, running or not.

    :ivar name: the name that its engine has for it
    :ivar instance: uuid of its instance; None where it belongs to none that the driver knows
    :ivar running: whether its processes may run now
    :ivar nodes: paths on the host of the nodes that it was made with
    :ivar numbers: device numbers, as (path on the host, "major:minor"), that it got for them when
        it was started last; a node without a number (a socket) is left out
    """

    name: str
    instance: str | None
    running: bool
    nodes: frozenset[str]
    numbers: frozenset[tuple[str, str]] = frozenset()

    @property
    def misplaced(self) -> bool:
        """Whether it runs with a device number that its node has not any more.

        The number may be that of another region's node by now. A node that is not there at the
        moment proves nothing.
        """
        return self.running and any(
            number_of(path) not in (None, number) for path, number in self.numbers
        )


def number_of(path: str) -> str | None:
    """The device number of a node of this host, "major:minor"; None for none, or no such node."""
    try:
        status = pathlib.Path(path).stat()
    except OSError:
        return None
    if not (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


class Probe(typing.Protocol):
    """What a virt driver that passes regions on to guests offers."""

    def guests(self) -> typing.Collection[Guest]:
        """Every guest of the engine, with the label of this host or without.

        :raises Exception: the engine cannot be asked, or does not answer for one of them
        """

    def stop(self, guest: Guest) -> None:
        """End the processes of a guest at once; done, too, if none runs.

        :raises Exception: they may still run
        """


class UnknownError(Exception):
    """It is not known which guests there are: the virt driver cannot be asked now."""


class Machine:
    """The guests of this machine; none where no virt driver passes regions on."""

    def __init__(self) -> None:
        self._probe: Probe | None = None

    def register(self, probe: Probe) -> None:
        """Have this probe asked from now on, and no other."""
        self._probe = probe

    def guests(self) -> list[Guest]:
        """Every guest.

        :raises UnknownError: the virt driver does not know
        """
        try:
            return list(self._probe.guests()) if self._probe else []
        except Exception as e:  # whatever it is, it is no answer
            raise UnknownError(f"the virt driver cannot list its guests: {e}") from e

    def with_nodes(self, nodes: typing.Collection[str], owner: str | None = None) -> list[Guest]:
        """The guests that have one of these nodes, or are of this instance.

        :param nodes: paths on the host
        :param owner: uuid of an instance
        :raises UnknownError: the virt driver does not know
        """
        identities = _identities(nodes)
        return [
            guest
            for guest in self.guests()
            if (owner is not None and guest.instance == owner)
            or not identities.isdisjoint(_identities(guest.nodes) | {n for _, n in guest.numbers})
        ]

    def stop(self, guest: Guest) -> None:
        """End the processes of a guest at once.

        :raises UnknownError: they may still run
        """
        try:
            if self._probe:
                self._probe.stop(guest)
        except Exception as e:  # as above
            raise UnknownError(f"it cannot be stopped: {e}") from e


#: That of this service.
machine = Machine()


def _identities(paths: typing.Iterable[str]) -> set[str]:
    """All by which a node may be known: its paths, with links followed too, and its number."""
    names = set(paths)
    names |= {os.path.realpath(path) for path in names}
    return names | {number for path in names if (number := number_of(path)) is not None}
