# SPDX-License-Identifier: Apache-2.0
"""Reads and writes those of CRIU's files that are lists of protobuf messages.

A file begins with two numbers that say its kind. Each message follows its size. What is known of
messages here is the wire format alone, so that a field that a later CRIU has stays as it was:
CRIU's own reader in Python loses what its version does not know.

https://protobuf.dev/programming-guides/encoding/ and https://criu.org/Images
"""

import pathlib
import struct
import typing

from novadocker.live.errors import LiveError

_MAGIC = 8
_SIZE = struct.Struct("<I")
#: Kinds of values: a number, eight bytes, bytes after their size, four bytes.
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_MOST_BITS = 64
#: Of a host that has none.
_DOMAIN = b"(none)"

_Value = int | bytes


class Message:
    """A message: its fields in their order.

    :param data: its bytes
    :raises LiveError: they are not a message
    """

    def __init__(self, data: bytes = b"") -> None:
        self._fields: list[tuple[int, int, _Value]] = list(_fields(data))

    def number(self, field: int, default: int | None = None) -> int:
        """A field that is a number.

        :raises LiveError: there is none, and no default
        """
        value = self._last(field, _NUMBER)
        value = default if value is None else value
        if not isinstance(value, int):
            raise LiveError(f"a message of CRIU's lacks field {field}")
        return value

    def text(self, field: int) -> bytes:
        """A field that is text or a message; empty if there is none."""
        value = self._last(field, _BYTES)
        return value if isinstance(value, bytes) else b""

    def all(self, field: int) -> list[bytes]:
        """The messages of a field that is repeated."""
        return [
            value
            for found, kind, value in self._fields
            if (found, kind) == (field, _BYTES) and isinstance(value, bytes)
        ]

    @property
    def numbers(self) -> set[int]:
        """The fields that there are."""
        return {field for field, _kind, _value in self._fields}

    def having(self, fields: typing.Mapping[int, _Value]) -> "Message":
        """A copy with other values, by their fields."""
        copy = Message()
        copy._fields = [one for one in self._fields if one[0] not in fields]
        copy._fields += [
            (field, _NUMBER if isinstance(value, int) else _BYTES, value)
            for field, value in fields.items()
        ]
        return copy

    def replaced(self, field: int, values: typing.Iterable[bytes]) -> "Message":
        """A copy with other messages in a field that is repeated."""
        copy = Message()
        copy._fields = [one for one in self._fields if one[0] != field]
        copy._fields += [(field, _BYTES, value) for value in values]
        return copy

    def dump(self) -> bytes:
        """Its bytes."""
        return b"".join(
            _varint(field << 3 | kind) + _encoded(kind, value)
            for field, kind, value in self._fields
        )

    def _last(self, field: int, kind: int) -> _Value | None:
        found = [value for one, other, value in self._fields if (one, other) == (field, kind)]
        return found[-1] if found else None


def read(path: pathlib.Path) -> tuple[bytes, list[Message]]:
    """A file: what it begins with, and its messages.

    :raises LiveError: it is something else
    """
    data = path.read_bytes()
    found, at = [], _MAGIC
    while at < len(data):
        if at + _SIZE.size > len(data):
            raise LiveError(f"{path.name} is cut short")
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size + size
        if at > len(data):
            raise LiveError(f"{path.name} is cut short")
        found.append(Message(data[at - size : at]))
    return data[:_MAGIC], found


def write(path: pathlib.Path, magic: bytes, messages: typing.Iterable[Message]) -> None:
    """Replace a file."""
    parts = [magic]
    for message in messages:
        data = message.dump()
        parts += [_SIZE.pack(len(data)), data]
    path.write_bytes(b"".join(parts))


def _fields(data: bytes) -> typing.Iterator[tuple[int, int, _Value]]:
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        kind = tag & 7
        value: _Value
        if kind == _NUMBER:
            value, at = _number(data, at)
        else:
            size = {_EIGHT: 8, _FOUR: 4}.get(kind)
            if kind == _BYTES:
                size, at = _number(data, at)
            if size is None or at + size > len(data):
                raise LiveError("a message of CRIU's cannot be read")
            value, at = data[at : at + size], at + size
        yield tag >> 3, kind, value


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to ten bytes, and where it ends."""
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise LiveError("a message of CRIU's cannot be read")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _encoded(kind: int, value: _Value) -> bytes:
    if isinstance(value, int):
        return _varint(value)
    return (_varint(len(value)) if kind == _BYTES else b"") + value


def name_host(folder: pathlib.Path, name: str) -> None:
    """Have the processes see a host name of their own.

    :param folder: of CRIU's files; those of the kind utsns have eight bytes of magic, then the size
        of a message and the message: the host name and the domain name
    """
    text = name.encode()[:64]
    message = bytes([10, len(text)]) + text + bytes([18, len(_DOMAIN)]) + _DOMAIN
    for path in folder.glob("utsns-*.img"):
        magic = path.read_bytes()[:_MAGIC]
        path.write_bytes(magic + _SIZE.pack(len(message)) + message)
