# SPDX-License-Identifier: Apache-2.0
"""A client's objects: its own numbers for OpenCL's handles, each kind apart.

OpenCL does not check its handles, so a number that is not of the right kind must be refused here.
"""

import dataclasses
import typing

from fpga_opencl.node.opencl import Handle
from fpga_opencl.protocol import codes, table

_Value = typing.TypeVar("_Value")


class Refused(Exception):
    """A message that fails with an error code of OpenCL."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def check(code: int) -> None:
    """Fail as OpenCL did.

    :raises Refused: the code is an error
    """
    if code != codes.SUCCESS:
        raise Refused(code)


class Numbers(dict[int, _Value]):
    """The objects of one kind.

    :param missing: error code for a number that none of them has
    """

    def __init__(self, missing: int) -> None:
        super().__init__()
        self._missing = missing

    def __missing__(self, number: int) -> typing.NoReturn:
        raise Refused(self._missing)

    def free(self, number: int) -> None:
        """See that a client may give a number to a new object.

        :raises Refused: it is 0, or that of an object
        """
        if number == 0 or number in self:
            raise Refused(codes.INVALID_VALUE)


@dataclasses.dataclass(frozen=True)
class Memory:
    """A buffer or an image.

    :param size: bytes; 0 of an image
    :param pixel: bytes of one of an image; 0 of a buffer
    :param taken: bytes of the session's room
    """

    handle: Handle
    size: int
    pixel: int = 0
    taken: int = 0


@dataclasses.dataclass
class Kernel:
    """A kernel.

    :param kinds: of its arguments (table.ARGUMENTS)
    :param held: memory objects and samplers that it was given, by the argument's index
    :param failed: arguments that could not be set, after which it cannot run
    """

    handle: Handle
    kinds: bytes
    held: dict[int, tuple[str, Handle]] = dataclasses.field(default_factory=dict)
    failed: set[int] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Objects:
    """All objects of a client.

    :param failed: events of commands that could not be enqueued, and the code of each
    :param profiled: for events that stand for others, those that have the times
    :param unset: user events that the client has not set yet
    :param parts: devices that are parts of others
    """

    devices: Numbers[Handle]
    contexts: Numbers[Handle]
    queues: Numbers[Handle]
    memories: Numbers[Memory]
    samplers: Numbers[Handle]
    programs: Numbers[Handle]
    kernels: Numbers[Kernel]
    events: Numbers[Handle]
    failed: dict[int, int] = dataclasses.field(default_factory=dict)
    profiled: dict[int, Handle] = dataclasses.field(default_factory=dict)
    unset: set[int] = dataclasses.field(default_factory=set)
    parts: set[int] = dataclasses.field(default_factory=set)

    @classmethod
    def none(cls) -> "Objects":
        """No object yet."""
        return cls(
            Numbers(codes.INVALID_DEVICE),
            Numbers(codes.INVALID_CONTEXT),
            Numbers(codes.INVALID_COMMAND_QUEUE),
            Numbers(codes.INVALID_MEM_OBJECT),
            Numbers(codes.INVALID_SAMPLER),
            Numbers(codes.INVALID_PROGRAM),
            Numbers(codes.INVALID_KERNEL),
            Numbers(codes.INVALID_EVENT),
        )

    def of_kind(self, kind: int) -> Numbers[typing.Any]:
        """The objects of a kind, by its number.

        :raises Refused: there is no such kind
        """
        name = _BY_KIND.get(kind)
        if name is None:
            raise Refused(codes.INVALID_VALUE)
        return typing.cast(Numbers[typing.Any], getattr(self, name))


_PLURALS = {"memory": "memories"}
_BY_KIND = {number: _PLURALS.get(name, f"{name}s") for name, number in table.KINDS.items()}
