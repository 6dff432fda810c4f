# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas (2020-12) of queries, bodies and answers: one module per resource.

The schema of an answer names each member, so that nothing is shown by accident.
"""

import typing

import jsonschema

from fpga_api import errors

Schema = dict[str, typing.Any]

_WORDS = {"true": True, "false": False}


def validate(value: typing.Any, schema: Schema, what: str) -> None:
    """Compare a value with its schema.

    :param what: the name of the value in the message
    :raises errors.BadRequest: the value is not what the schema says
    """
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    wrong = next(iter(validator.iter_errors(value)), None)
    if wrong is not None:
        raise errors.BadRequest(f"{what}: {wrong.json_path}: {wrong.message[:200]}")


def query(pairs: typing.Iterable[tuple[str, str]], schema: Schema) -> dict[str, typing.Any]:
    """The parameters of a query by name, numbers and truth values as such.

    :param schema: an object; a parameter that it does not name is refused
    :raises errors.BadRequest: a parameter is unknown, is there twice or is not what the schema says
    """
    values: dict[str, typing.Any] = {}
    for name, text in pairs:
        if name in values:
            raise errors.BadRequest(f"the query has {name[:64]!r} twice")
        values[name] = _value(text, schema["properties"].get(name, {}).get("type"))
    validate(values, schema, "the query")
    for name, one in schema["properties"].items():
        if "default" in one:
            values.setdefault(name, one["default"])
    return values


def _value(text: str, kind: str | None) -> str | int | bool:
    if kind == "boolean":
        return _WORDS.get(text, text)
    if kind == "integer" and text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    return text
