# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/opencl-rest.md, of the table of calls.

python -m fpga_opencl.rest.generate > FILE
"""

import sys
import typing

from fpga_opencl.rest import calls, schemas


def tables() -> str:
    """The original's calls, side by side with ours."""
    lines = [
        "| original | request | body | Python client | test |",
        "|---|---|---|---|---|",
        *(_row(one) for one in calls.CALLS),
        "",
        "Two calls are not of the original, whose commands took events and ignored them:",
        "",
        "| request | Python client | test |",
        "|---|---|---|",
    ]
    names = {"show": "status", "release": "forget"}
    for one in calls.EVENTS:
        client = f"`queues.{names[one.name]}`"
        lines.append(f"| `{one.method} {one.path}` | {client} | `test_call[{one.id}]` |")
    return "\n".join(lines)


def _row(one: calls.Call) -> str:
    action = one.action or one.name
    cells = [
        f"`os-opencl{one.resource}` {action}",
        f"`{one.method} {one.path}`",
        _fields(one.schema) or "",
        f"`{one.id}`",
        f"`test_call[{one.id}]`",
    ]
    return f"| {' | '.join(cells)} |"


def _fields(schema: schemas.Schema | None) -> str:
    """The fields of a body; those in brackets may be missing."""
    if schema is None:
        return ""
    choice = [name for one in schema.get("oneOf", []) for name in one["required"]]
    cells: list[str] = []
    for name, one in schema["properties"].items():
        if name not in choice:
            text = f"`{name}`{_members(one)}"
            cells.append(text if name in schema["required"] else f"[{text}]")
    if choice:
        cells.append(" or ".join(f"`{name}`" for name in choice))
    return ", ".join(cells)


def _members(schema: schemas.Schema) -> str:
    """What a list has, if it is one of objects."""
    names: typing.Iterable[str] = schema.get("items", {}).get("properties", {})
    return "".join(f" of `{name}`" for name in names)


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
