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
        found = pathlib.Path(path).stat()
    except OSError:
        return None
    if not (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        return None
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


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


_probes: list[Probe] = []


def register(probe: Probe) -> None:
    """Have this probe asked from now on, and no other."""
    _probes[:] = [probe]


def all_of_them() -> list[Guest]:
    """Every guest of this machine; none where no virt driver passes regions on.

    :raises UnknownError: the virt driver cannot tell
    """
    try:
        return [guest for probe in _probes for guest in probe.guests()]
    except Exception as e:  # whatever it is, it is no answer
        raise UnknownError(f"the virt driver cannot list its guests: {e}") from e


def with_nodes(nodes: typing.Collection[str], owner: str | None = None) -> list[Guest]:
    """The guests that have one of these nodes, or are of this instance.

    :param nodes: paths on the host
    :param owner: uuid of an instance
    :raises UnknownError: the virt driver cannot tell
    """
    asked = _identities(nodes)
    return [
        guest
        for guest in all_of_them()
        if (owner is not None and guest.instance == owner)
        or not asked.isdisjoint(_identities(guest.nodes) | {n for _, n in guest.numbers})
    ]


def _identities(paths: typing.Iterable[str]) -> set[str]:
    """All by which a node may be known: its paths, with links followed too, and its number."""
    found = set(paths)
    found |= {os.path.realpath(path) for path in found}
    return found | {number for path in found if (number := number_of(path)) is not None}


def stop(guest: Guest) -> None:
    """End the processes of a guest at once.

    :raises UnknownError: they may still run
    """
    try:
        for probe in _probes:
            probe.stop(guest)
    except Exception as e:  # as above
        raise UnknownError(f"it cannot be stopped: {e}") from e
