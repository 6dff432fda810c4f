# SPDX-License-Identifier: Apache-2.0
"""Reads what pages of the site are made of: exit statuses, JSON Schemas, the man page.

It imports no Sphinx, so that the unit tests can check it.
"""

import dataclasses
import inspect
import json
import re
import typing

from fpga_hooks.program.errors import Rootwrap, from_exit
from fpga_nova.contract import Exit
from fpga_patch import errors as patch_errors
from fpga_regions import errors

Schema = typing.Mapping[str, typing.Any]

#: Statuses that no failure has: nothing failed, or the program never got to work.
WITHOUT_FAILURE = frozenset({Exit.DONE, Exit.DEFECT, Exit.WRONG_COMMAND_LINE})


class UnknownError(Exception):
    """A source has something that is not understood here."""


def exits() -> list[list[str]]:
    """The statuses of fpga-cli: number, name, meaning, and the failures that have it.

    :raises UnknownError: no failure has a status, or a failure has no description
    """
    rows = []
    for code in Exit:
        failures = [one for one in _failures() if one.code == code]
        if not failures and code not in WITHOUT_FAILURE:
            raise UnknownError(f"no failure in fpga_regions.errors has the status {code.name}")
        described = " ".join(_described(failure) for failure in failures)
        rows.append([f"`{int(code)}`", f"`{code.name}`", code.meaning, described])
    return rows


def patch_exits() -> list[list[str]]:
    """The statuses of fpga-patch that a failure has: number, name, meaning."""
    found = [
        one
        for _, one in inspect.getmembers(patch_errors, inspect.isclass)
        if issubclass(one, patch_errors.PatchError)
    ]
    return [
        [f"`{one.code}`", f"`{one.__name__}`", _described(one)]
        for one in sorted(found, key=lambda one: one.code)
    ]


def rootwrap_exits() -> list[list[str]]:
    """The statuses of nova-rootwrap: number, name, the message in the log of nova-compute."""
    return [
        [f"`{int(code)}`", f"`{code.name}`", from_exit("fpga-cli.py", code, "").reason]
        for code in Rootwrap
    ]


def _failures() -> list[type[errors.RegionError]]:
    found = [
        one
        for _, one in inspect.getmembers(errors, inspect.isclass)
        if issubclass(one, errors.RegionError) and "code" in vars(one)
    ]
    return sorted(found, key=lambda one: one.__name__)


def _described(failure: type[Exception]) -> str:
    text = inspect.cleandoc(failure.__doc__ or "").partition("\n\n")[0]
    if not text:
        raise UnknownError(f"{failure.__name__} has no description")
    return " ".join(text.split())


def support_matrix(table: typing.Mapping[str, typing.Any]) -> list[list[str]]:
    """The features of a virt driver: title, Nova's status, state, notes.

    :param table: what docs/support-matrix.toml holds
    """
    columns = ("title", "status", "state", "notes")
    return [[str(one.get(column, "")) for column in columns] for one in table["features"]]


def members(schema: Schema) -> list[list[str]]:
    """The members that a JSON Schema describes: path, value, whether it must be there, meaning.

    :raises UnknownError: the schema uses something that is not understood here
    """
    return list(_members(schema, schema, ""))


def _members(schema: Schema, node: Schema, path: str) -> typing.Iterator[list[str]]:
    for name, given in node.get("properties", {}).items():
        member = _resolved(schema, given)
        required = "yes" if name in node.get("required", ()) else "no"
        here = f"{path}{name}"
        meaning = str(member.get("description", ""))
        yield [f"`{here}`", _value(schema, member), required, meaning]
        yield from _members(schema, member, f"{here}.")
        if "items" in member:
            yield from _members(schema, _resolved(schema, member["items"]), f"{here}[].")


def _resolved(schema: Schema, node: Schema) -> Schema:
    reference = node.get("$ref")
    if reference is None:
        return node
    if not reference.startswith("#/$defs/"):
        raise UnknownError(f"the reference {reference} leads out of the schema")
    return {**schema["$defs"][reference.removeprefix("#/$defs/")], **node}


def _value(schema: Schema, node: Schema) -> str:
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    if "type" not in node:
        raise UnknownError(f"a member has no type: {json.dumps(node)}")
    kinds = [node["type"]] if isinstance(node["type"], str) else list(node["type"])
    text = " or ".join(kinds)
    if "items" in node:
        text += f" of: {_value(schema, _resolved(schema, node['items']))}"
    limits = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minItems": "at least {} items",
        "maxItems": "at most {} items",
        "pattern": "pattern `{}`",
    }
    return ", ".join([text, *(words.format(node[k]) for k, words in limits.items() if k in node)])


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a man page.

    :ivar kind: `section`, `paragraph`, `line` (one that is broken before) or `item`
    :ivar term: of an item
    """

    kind: str
    text: str
    term: str = ""


def man_page(text: str) -> list[Part]:
    """The parts of a man page, in order.

    :raises UnknownError: it has a macro that build_scripts/cli_files.py did not have so far
    """
    parts: list[Part] = []
    kind, term = "paragraph", ""
    for line in text.splitlines():
        macro, _, rest = line.partition(" ")
        if macro in ('.\\"', ".TH"):
            continue
        if macro == ".SH":
            parts.append(Part("section", _plain(rest)))
            kind = "paragraph"
        elif macro in (".PP", ".br", ".TP"):
            kind = {".PP": "paragraph", ".br": "line", ".TP": "term"}[macro]
        else:
            words = _words(macro, rest) if line.startswith(".") else _plain(line)
            if kind == "term":
                kind, term = "item", words
                continue
            if kind:
                parts.append(Part(kind, words, term))
            else:
                parts[-1] = dataclasses.replace(parts[-1], text=f"{parts[-1].text} {words}")
            kind, term = "", ""
    return parts


def _words(macro: str, rest: str) -> str:
    """The text of a line in bold or italics; a pair of fonts joins its arguments."""
    if macro in (".B", ".I"):
        return _plain(rest)
    if macro in (".BR", ".IR"):
        return _plain("".join(_arguments(rest)))
    raise UnknownError(f"the man page has the macro {macro}")


def _arguments(rest: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', rest)]


def _plain(text: str) -> str:
    plain = text.replace(r"\-", "-").replace(r"\(aq", "'").replace(r"\e", "\\")
    if re.search(r"\\[^\\]", plain) and r"\e" not in text:
        raise UnknownError(f"the man page has an escape that is not known: {text}")
    return plain
