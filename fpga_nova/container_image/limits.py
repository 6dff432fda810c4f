# SPDX-License-Identifier: Apache-2.0
"""How large an image may be, counted while it is read."""

import dataclasses
import typing


class Refused(Exception):
    """The archive is not one that an engine of this host can make a container of; says why."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one image may have.

    :param unpacked: bytes of all layers, as an engine unpacks them
    :param files: entries of all layers
    """

    unpacked: int
    files: int


class Budget:
    """What of the limits is spent.

    An engine unpacks a layer anew for each place that the image has it at, so that each counts.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._unpacked = self._files = self._written = 0
        #: How often the layer that is being read occurs.
        self.times = 1

    def spend(self, size: int, files: int = 0) -> None:
        """Count bytes or entries of a layer.

        :raises Refused: they are too many
        """
        self._unpacked += size * self.times
        self._files += files * self.times
        if self._unpacked > self._limits.unpacked:
            raise Refused(f"its layers unpack to more than {_size(self._limits.unpacked)}")
        if self._files > self._limits.files:
            raise Refused(f"its layers have more than {self._limits.files} files")

    def write(self, size: int) -> None:
        """Count bytes that a layer has before it is unpacked, once however often it occurs.

        :raises Refused: they are too many
        """
        self._written += size
        if self._written > self._limits.unpacked:
            raise Refused(f"its layers are larger than {_size(self._limits.unpacked)}")


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"


class Readable(typing.Protocol):
    """What bytes come from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end only."""
