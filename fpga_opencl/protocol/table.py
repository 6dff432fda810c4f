# SPDX-License-Identifier: Apache-2.0
"""The protocol's messages as structs, of messages.toml."""

import dataclasses
import re
import struct
import tomllib
import typing
from pathlib import Path

_FILE = Path(__file__).with_name("messages.toml")
_LETTERS = {"u16": "H", "u32": "I", "i32": "i", "u64": "Q"}
_FIELD = re.compile(r"(\w+):(\w+)(?:\[(\d+)\])?")


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a message.

    :param offset: bytes before it, headers not counted
    :param count: how many values it has; 1 unless it is an array
    """

    name: str
    type: str
    count: int
    offset: int

    @property
    def letters(self) -> str:
        """How the module struct writes it."""
        return _LETTERS[self.type] * self.count


@dataclasses.dataclass(frozen=True)
class Message:
    """One message of a client.

    :param command: it begins with the fields of a command, its tail with the wait list
    :param limit: bytes after its header
    """

    name: str
    number: int
    fields: tuple[Field, ...]
    tail: tuple[str, ...]
    reply: tuple[str, ...]
    command: bool
    limit: int
    about: str
    struct: struct.Struct

    def pack(self, *values: int) -> bytes:
        """The fields; arrays are given value by value."""
        return self.struct.pack(*values)


def layout(lines: typing.Iterable[str]) -> tuple[Field, ...]:
    """The fields that a list of the file names."""
    fields: list[Field] = []
    offset = 0
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError(f"{line} is not a field")
        field = Field(match[1], match[2], int(match[3] or 1), offset)
        fields.append(field)
        offset += struct.calcsize("<" + field.letters)
    return tuple(fields)


def packing(fields: typing.Iterable[Field]) -> struct.Struct:
    """The struct of fields."""
    return struct.Struct("<" + "".join(field.letters for field in fields))


def _message(row: dict[str, typing.Any]) -> Message:
    command = row.get("command", False)
    common = _CONTENT["command"] if command else {"fields": [], "tail": []}
    fields = layout([*common["fields"], *row.get("fields", [])])
    return Message(
        row["name"],
        row["number"],
        fields,
        (*common["tail"], *row.get("tail", [])),
        tuple(row.get("reply", [])),
        command,
        LIMITS["data" if row.get("large") else "control"],
        row["about"],
        packing(fields),
    )


_CONTENT = tomllib.loads(_FILE.read_text(encoding="utf-8"))

VERSION: int = _CONTENT["version"]
MAGIC: int = _CONTENT["magic"]
LIMITS: dict[str, int] = _CONTENT["limits"]
#: What a client says of a request, and of its reply.
FLAGS: dict[str, int] = _CONTENT["flags"]
ANSWER, BACKGROUND, RINGS = (FLAGS[name] for name in ("answer", "background", "rings"))
KINDS: dict[str, int] = _CONTENT["kinds"]
QUERIES: dict[str, int] = _CONTENT["queries"]
ARGUMENTS: dict[str, int] = _CONTENT["arguments"]
HEADERS: dict[str, tuple[Field, ...]] = {
    row["name"]: layout(row["fields"]) for row in _CONTENT["header"]
}
ABOUT_HEADERS: dict[str, str] = {row["name"]: row["about"] for row in _CONTENT["header"]}
REQUEST = packing(HEADERS["request"])
REPLY = packing(HEADERS["reply"])
MESSAGES: dict[str, Message] = {row["name"]: _message(row) for row in _CONTENT["message"]}
BY_NUMBER: dict[int, Message] = {one.number: one for one in MESSAGES.values()}
