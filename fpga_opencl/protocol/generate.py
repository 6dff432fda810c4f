# SPDX-License-Identifier: Apache-2.0
"""Writes what is made of messages.toml: the ICD's header in C, and tables of the documentation.

python -m fpga_opencl.protocol.generate header|tables > FILE
"""

import sys
import typing

from fpga_opencl.protocol import table

_TYPES = {"u16": "uint16_t", "u32": "uint32_t", "i32": "int32_t", "u64": "uint64_t"}


def header() -> str:
    """The header in C."""
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0 */",
        "/* Made of messages.toml by generate.py; a change here is lost. */",
        "#ifndef FPGA_OPENCL_PROTOCOL_H",
        "#define FPGA_OPENCL_PROTOCOL_H",
        "#include <stdint.h>",
        "",
        f"#define PROTOCOL_VERSION {table.VERSION}u",
        f"#define PROTOCOL_MAGIC {table.MAGIC:#x}u",
    ]
    lines += [f"#define LIMIT_{k.upper()} {v:#x}ull" for k, v in table.LIMITS.items()]
    for prefix, values in (
        ("FLAG", table.FLAGS),
        ("KIND", table.KINDS),
        ("QUERY", table.QUERIES),
        ("ARGUMENT", table.ARGUMENTS),
        ("MESSAGE", {name: one.number for name, one in table.MESSAGES.items()}),
    ):
        lines += ["", "enum {"]
        lines += [f"    {prefix}_{name.upper()} = {value}," for name, value in values.items()]
        lines += ["};"]
    structs = {f"{name}_header": fields for name, fields in table.HEADERS.items()}
    structs |= {f"{name}_message": one.fields for name, one in table.MESSAGES.items()}
    for name, fields in structs.items():
        if fields:
            lines += ["", *_struct(name, fields)]
    return "\n".join([*lines, "", "#endif", ""])


def _struct(name: str, fields: typing.Iterable[table.Field]) -> typing.Iterator[str]:
    yield f"struct {name} {{"
    for field in fields:
        count = f"[{field.count}]" if field.count > 1 else ""
        yield f"    {_TYPES[field.type]} {field.name}{count};"
    yield "} __attribute__((packed));"


def tables() -> str:
    """The tables of the documentation."""
    lines: list[str] = []
    for name, fields in table.HEADERS.items():
        lines += [f"### Header of a {name}", "", table.ABOUT_HEADERS[name], ""]
        lines += _fields(fields, (), ())
    for title, values in (
        ("Flags", table.FLAGS),
        ("Kinds of objects", table.KINDS),
        ("Queries", table.QUERIES),
        ("Kinds of arguments", table.ARGUMENTS),
    ):
        lines += [f"### {title}", "", "| name | number |", "|---|---|"]
        lines += [f"| {name} | {number} |" for name, number in values.items()] + [""]
    for one in table.MESSAGES.values():
        lines += [f"### {one.number}: {one.name}", "", one.about, ""]
        if one.fields or one.tail or one.reply:
            lines += _fields(one.fields, one.tail, one.reply)
    return "\n".join(lines)


def _fields(
    fields: typing.Iterable[table.Field],
    tail: typing.Iterable[str],
    reply: typing.Iterable[str],
) -> typing.Iterator[str]:
    yield from ("| offset | field | type |", "|---|---|---|")
    for field in fields:
        count = f"[{field.count}]" if field.count > 1 else ""
        yield f"| {field.offset} | {field.name} | {field.type}{count} |"
    for place, rows in (("then", tail), ("reply", reply)):
        for row in rows:
            name, _, kind = row.partition(":")
            yield f"| {place} | {name} | {kind} |"
    yield ""


if __name__ == "__main__":
    sys.stdout.write({"header": header, "tables": tables}[sys.argv[1]]())
