# SPDX-License-Identifier: Apache-2.0
"""The resources of a session but its queues: devices, contexts, buffers, programs, kernels."""

import base64
import binascii
import dataclasses
import struct
import typing

from fpga_opencl.client.connection import Connection, OpenCLError
from fpga_opencl.protocol import codes, table

_QUERIES = table.QUERIES
#: The fields of a device: parameter of clGetDeviceInfo, and struct or None for text.
_DEVICE_FIELDS: dict[str, tuple[int, str | None]] = {
    "name": (0x102B, None),
    "vendor": (0x102C, None),
    "version": (0x102F, None),
    "driver_version": (0x102D, None),
    "type": (0x1000, "<Q"),
    "compute_units": (0x1002, "<I"),
    "max_work_item_dimensions": (0x1003, "<I"),
    "max_work_group_size": (0x1004, "<Q"),
    "single_fp_config": (0x101B, "<Q"),
    "max_allocation": (0x1010, "<Q"),
    "global_memory": (0x101F, "<Q"),
    "local_memory_type": (0x1022, "<I"),
    "local_memory": (0x1023, "<Q"),
}
_WORK_ITEM_SIZES = 0x1005
_BUILD = {"STATUS": (0x1181, "<i"), "LOG": (0x1183, None)}


@dataclasses.dataclass(frozen=True)
class DeviceMemoryObject:
    """An argument that is a buffer, by its number."""

    buffer: int


@dataclasses.dataclass(frozen=True)
class LocalMemory:
    """An argument that is memory of each work group, in bytes."""

    size: int


@dataclasses.dataclass(frozen=True)
class HostValue:
    """An argument that is a value, in base64."""

    value: str


Argument = DeviceMemoryObject | LocalMemory | HostValue


def text(value: bytes) -> str:
    """A string of OpenCL's."""
    return value.rstrip(b"\0").decode("utf-8", "replace")


class Devices:
    """The devices of the session's node."""

    def __init__(self, connection: Connection, numbers: list[int]) -> None:
        self._connection = connection
        self._numbers = numbers

    def list(self) -> list[int]:
        """Their numbers."""
        return list(self._numbers)

    def show(self, device: int) -> dict[str, typing.Any]:
        """The fields of one.

        :raises OpenCLError: there is no such device
        """
        fields: dict[str, typing.Any] = {}
        for name, (parameter, packing) in _DEVICE_FIELDS.items():
            value = self._connection.call("query", _QUERIES["device"], parameter, device, 0)
            fields[name] = struct.unpack(packing, value)[0] if packing else text(value)
        sizes = self._connection.call("query", _QUERIES["device"], _WORK_ITEM_SIZES, device, 0)
        return fields | {
            "max_work_item_sizes": [size for (size,) in struct.iter_unpack("<Q", sizes)]
        }


class Objects:
    """Objects of one kind that the session has; each has a count of references.

    :param kind: its name in the protocol
    :param missing: error code for a number that no object has
    """

    def __init__(self, connection: Connection, kind: str, missing: int) -> None:
        self._connection = connection
        self._kind = kind
        self._missing = missing
        self._known: dict[int, dict[str, typing.Any]] = {}
        self._references: dict[int, int] = {}

    def list(self) -> list[int]:
        """Their numbers."""
        return list(self._known)

    def show(self, number: int) -> dict[str, typing.Any]:
        """What it was made with, and its references.

        :raises OpenCLError: there is no such object
        """
        return self._find(number) | {"references": self._references[number]}

    def retain(self, number: int) -> None:
        """Count one more reference.

        :raises OpenCLError: there is no such object
        """
        self._find(number)
        self._references[number] += 1

    def release(self, number: int) -> None:
        """Count one less; the last one ends the object.

        :raises OpenCLError: there is no such object
        """
        self._find(number)
        self._references[number] -= 1
        if self._references[number] == 0:
            del self._known[number], self._references[number]
            self._connection.call("release", table.KINDS[self._kind], 0, number)

    def _find(self, number: int) -> dict[str, typing.Any]:
        if number not in self._known:
            raise OpenCLError(self._kind, self._missing)
        return dict(self._known[number])

    def _add(self, number: int, fields: dict[str, typing.Any]) -> int:
        self._known[number] = {"id": number} | fields
        self._references[number] = 1
        return number


def numbers(values: typing.Sequence[int]) -> bytes:
    """Numbers of objects, as a tail has them."""
    return struct.pack(f"<{len(values)}Q", *values)


class Contexts(Objects):
    """Contexts."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "context", codes.INVALID_CONTEXT)

    def create(self, devices: typing.Sequence[int]) -> int:
        """Make a context of devices.

        :raises OpenCLError: there are none, or there is no such device
        """
        number = self._connection.number()
        self._connection.call("create_context", number, len(devices), 0, tail=numbers(devices))
        return self._add(number, {"devices": [*devices]})


class Buffers(Objects):
    """Buffers."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "memory", codes.INVALID_MEM_OBJECT)

    def create(self, context: int, size: int) -> int:
        """Make a buffer of so many bytes.

        :raises OpenCLError: there is no room, or no such context
        """
        number = self._connection.number()
        self._connection.call("create_buffer", number, context, codes.MEM_READ_WRITE, size)
        return self._add(number, {"context": context, "size": size})


class Programs(Objects):
    """Programs."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "program", codes.INVALID_PROGRAM)

    def create(self, context: int, strings: typing.Sequence[str]) -> int:
        """Make a program of its source.

        :raises OpenCLError: source is not allowed here, or there is no such context
        """
        number, source = self._connection.number(), "".join(strings).encode()
        self._connection.call("create_program_with_source", number, context, tail=source)
        return self._add(number, {"context": context})

    def build(self, program: int, devices: typing.Sequence[int], options: str = "") -> None:
        """Compile and link it; that takes as long as it takes.

        :raises OpenCLError: it cannot be built; `buildinfo` says why
        """
        tail = numbers(devices) + options.encode()
        self._connection.call("build_program", program, len(devices), 0, tail=tail)

    def buildinfo(self, program: int, device: int, name: str) -> str | int:
        """How the build went: STATUS, a number, or LOG, a text.

        :raises OpenCLError: there is no such program, device or name
        """
        if name not in _BUILD:
            raise OpenCLError("buildinfo", codes.INVALID_VALUE)
        parameter, packing = _BUILD[name]
        value = self._connection.call("query", _QUERIES["build"], parameter, program, device)
        return int(struct.unpack(packing, value)[0]) if packing else text(value)


class Kernels(Objects):
    """Kernels."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, "kernel", codes.INVALID_KERNEL)

    def create(self, program: int, name: str) -> int:
        """Make a kernel of a program's function.

        :raises OpenCLError: it has no such function, or was not built
        """
        number = self._connection.number()
        self._connection.call("create_kernel", number, program, tail=name.encode())
        return self._add(number, {"program": program, "name": name})

    def setkernelarg(self, kernel: int, index: int, argument: Argument) -> None:
        """Set an argument.

        :raises OpenCLError: there is no such argument, or it is of another kind or size
        """
        kind, size, value = _packed(argument)
        self._connection.call(
            "set_argument", kernel, index, table.ARGUMENTS[kind], size, tail=value
        )


def _packed(argument: Argument) -> tuple[str, int, bytes]:
    match argument:
        case DeviceMemoryObject(buffer):
            return "memory", 8, numbers([buffer])
        case LocalMemory(size):
            return "local", size, b""
        case HostValue(value):
            try:
                content = base64.b64decode(value, validate=True)
            except binascii.Error:
                raise OpenCLError("setkernelarg", codes.INVALID_ARG_VALUE) from None
            return "value", len(content), content
