# SPDX-License-Identifier: Apache-2.0
"""A list as the service published it: the resources, and how old the answer is."""

import collections.abc
import dataclasses
import typing

from fpga_client.resources import FpgaResource

_R = typing.TypeVar("_R", bound=FpgaResource)


@dataclasses.dataclass(frozen=True)
class Report(collections.abc.Sequence[_R]):
    """A sequence of resources.

    :ivar items: the resources, of all pages
    :ivar at: when the engine looked, RFC 3339; None for what the service looks up per request
    :ivar age: seconds since
    :ivar stale: whether the engine's newer looks failed, so that the answer may be wrong by now
    :ivar unreachable: hosts that did not answer; for users who do not see hosts, their servers
    :ivar complete: whether the totals of flavors have all hosts; a service that started finds full
        hosts bit by bit
    :ivar regions: the ``used`` regions of the user's project and their ``limit``, which is None
        where there is none; None where nobody asked, or where no limits of Keystone count
    """

    items: tuple[_R, ...]
    at: str | None = None
    age: float | None = None
    stale: bool = False
    unreachable: tuple[str, ...] = ()
    complete: bool = True
    regions: dict[str, int | None] | None = None

    @typing.overload
    def __getitem__(self, index: int) -> _R: ...

    @typing.overload
    def __getitem__(self, index: slice) -> tuple[_R, ...]: ...

    def __getitem__(self, index: int | slice) -> _R | tuple[_R, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)
